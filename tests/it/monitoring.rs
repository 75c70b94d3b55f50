//! `infra/monitoring.yaml` and `docs/runbook.md`: whatever fails rings, each alarm says what to do, and
//! what is watched is there.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use domain::limits::SWEEP_SETTLES_AFTER_SECS;
use local::template::{Source, Template};
use serde_json::{Value, json};

use crate::create_subscription::subscribe;
use crate::deliver_events::{Receiver, happen};
use crate::deployment::{self, monitoring};
use crate::publish_events::on_bus;
use crate::wire::Fault;
use crate::world::{HOLD_SECS, World};

const RUNBOOK: &str = include_str!("../../docs/runbook.md");

/// What an entry of the runbook says of its alarm.
const PARTS: [&str; 4] = ["**It means**", "**Look.**", "**Do.**", "**It clears**"];

/// What CloudFormation knows by itself.
const PSEUDO: &str = "AWS::";

/// The alarms by their ids, composite ones too.
fn alarms(document: &Value) -> BTreeMap<&str, &Value> {
    let resources = document["Resources"].as_object().unwrap().iter();
    let alarms = resources.filter(|(_, resource)| {
        ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"]
            .contains(&resource["Type"].as_str().unwrap())
    });
    alarms.map(|(id, resource)| (id.as_str(), &resource["Properties"])).collect()
}

/// What is measured, where and of what. What the template puts in stands there by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Metric {
    namespace: String,
    name: String,
    of: Vec<(String, String)>,
}

impl Metric {
    /// The one that stands so in an alarm.
    fn of_alarm(stat: &Value) -> Self {
        let text = |value: &Value| value["Ref"].as_str().or(value.as_str()).unwrap().to_owned();
        let dimensions = stat["Dimensions"].as_array().unwrap().iter();
        Self {
            namespace: text(&stat["Namespace"]),
            name: text(&stat["MetricName"]),
            of: dimensions.map(|of| (text(&of["Name"]), text(&of["Value"]))).collect(),
        }
    }

    /// The one that a row of a dashboard's widget names.
    fn of_row(row: &[String]) -> Self {
        let of = row[2..].chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        Self { namespace: row[0].clone(), name: row[1].clone(), of }
    }

    fn is_of(&self, name: &str, value: &str) -> bool {
        self.name == name && self.of.iter().any(|(_, of)| of == value)
    }
}

/// The metrics that an alarm watches; none for one that watches others.
fn watched(alarm: &Value) -> Vec<Metric> {
    match alarm["Metrics"].as_array() {
        Some(all) => {
            let stats = all.iter().filter_map(|one| one["MetricStat"].get("Metric"));
            stats.map(Metric::of_alarm).collect()
        }
        None if alarm["MetricName"].is_string() => vec![Metric::of_alarm(alarm)],
        None => Vec::new(),
    }
}

fn all_watched(document: &Value) -> BTreeSet<Metric> {
    alarms(document).values().flat_map(|alarm| watched(alarm)).collect()
}

/// The dashboard, but that what the template puts in stands there by its name.
fn dashboard(document: &Value) -> Value {
    let text = &document["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Sub"];
    let mut parts = text.as_str().unwrap().split("${");
    let mut body = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').expect("what is put in ends");
        match name.strip_prefix('!') {
            Some(theirs) => body.push_str(&format!("${{{theirs}}}")),
            None => {
                let id = name.trim_end_matches(".Arn");
                let is_there =
                    ["Parameters", "Resources"].iter().any(|of| !document[of][id].is_null());
                assert!(is_there || id.starts_with(PSEUDO), "there is no {name}");
                body.push_str(id);
            }
        }
        body.push_str(rest);
    }
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("the dashboard: {error}"))
}

fn widgets_of<'a>(dashboard: &'a Value, kind: &str) -> Vec<&'a Value> {
    let widgets = dashboard["widgets"].as_array().unwrap().iter();
    widgets.filter(|widget| widget["type"] == kind).collect()
}

/// The rows of a widget that name metrics, written out: `.` stands for what is above it.
fn rows(widget: &Value) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for row in widget["properties"]["metrics"].as_array().unwrap() {
        let names = row.as_array().unwrap().iter().filter_map(Value::as_str);
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        for (position, name) in names.iter_mut().enumerate() {
            if name == "." {
                name.clone_from(&rows.last().expect("something is above")[position]);
            }
        }
        if !names.is_empty() {
            rows.push(names);
        }
    }
    rows
}

/// The expressions of a widget, with their ids.
fn expressions(widget: &Value) -> Vec<(&str, &str)> {
    let rows = widget["properties"]["metrics"].as_array().unwrap().iter();
    rows.filter_map(|row| Some((row[0]["expression"].as_str()?, row[0]["id"].as_str().unwrap())))
        .collect()
}

/// What a search finds: the metrics of ours with this name, by function.
fn searched(expression: &str) -> Option<&str> {
    let found = expression.strip_prefix("SEARCH('{\"Namespace\",function} MetricName=\"")?;
    found.split('"').next()
}

/// The headings of the runbook below one of its parts, as links name them, each with what it says.
fn entries(part: &str) -> BTreeMap<String, &'static str> {
    let (_, below) = RUNBOOK.split_once(&format!("\n## {part}\n")).expect("the part is there");
    let below = below.split("\n## ").next().unwrap();
    let entries = below.split("\n### ").skip(1);
    entries.map(|entry| (anchor(entry.lines().next().unwrap()), entry)).collect()
}

fn anchor(heading: &str) -> String {
    let letters = heading.to_lowercase();
    let kept = letters.chars().filter(|letter| letter.is_alphanumeric() || " -".contains(*letter));
    kept.collect::<String>().replace(' ', "-")
}

/// What stands between `from` and the first of `to`, everywhere in the runbook.
fn between(from: &str, to: &[char]) -> BTreeSet<&'static str> {
    RUNBOOK.split(from).skip(1).map(|after| after.split(to).next().unwrap()).collect()
}

/// Goal: whoever is called knows what to do. Method: alarms name entries, entries name alarms, and none
/// is left over.
#[test]
fn each_alarm_has_an_entry_in_the_runbook() {
    let document = monitoring();
    let entries = entries("Alarms");
    let mut named = BTreeSet::new();
    for (id, alarm) in alarms(&document) {
        let text = alarm["AlarmDescription"].as_str().unwrap();
        let (_, anchor) = text.rsplit_once(" Runbook: docs/runbook.md#").unwrap();
        let entry = entries.get(anchor).unwrap_or_else(|| panic!("{id}: no entry {anchor}"));
        assert!(entry.contains(&format!("`{id}`")), "{anchor} does not say that it is of {id}");
        for part in PARTS {
            assert!(entry.contains(part), "{anchor} does not say {part}");
        }
        named.insert(anchor.to_owned());
    }
    assert!(named.len() > 30, "{}", named.len());
    let written: BTreeSet<String> = entries.into_keys().collect();
    assert_eq!(named, written, "an entry is of an alarm");
}

/// Goal: no command leads nowhere. Method: what the runbook links to, what it asks the stack for, and
/// what it asks of the API is looked up.
#[test]
fn the_runbook_speaks_of_what_is_there() {
    let template = deployment::template();
    let headings: BTreeSet<String> = RUNBOOK
        .lines()
        .filter_map(|line| Some(anchor(line.strip_prefix('#')?.trim_matches(['#', ' ']))))
        .collect();
    for link in between("](#", &[')']) {
        assert!(headings.contains(link), "no heading {link}");
    }
    let asked_for = between("$(of ", &[')', ' ']);
    assert!(asked_for.len() > 10, "{asked_for:?}");
    for id in asked_for {
        let is_there = !template["Resources"][id].is_null();
        assert!(is_there || id.starts_with(['$', '"']), "no resource {id}");
    }
    for command in ["polls ", "peek ", "redrive "] {
        let named = between(command, &[' ', '\n', '`']);
        let named = named.into_iter().filter(|id| id.starts_with(char::is_uppercase));
        for id in named {
            assert!(!template["Resources"][id].is_null(), "{command}{id}: no such resource");
        }
    }
    let routes = Template::read().unwrap().routes();
    let paths = between("$URL/", &['"', ' ', '\n', '`', '?']);
    assert!(paths.len() > 3, "{paths:?}");
    for path in paths {
        let fits = |route: &str| {
            let (ours, theirs) = (route.split('/').skip(1), path.split('/'));
            ours.clone().count() == theirs.clone().count()
                && ours.zip(theirs).all(|(ours, theirs)| {
                    ours == theirs || ours.starts_with('{') && theirs.starts_with('$')
                })
        };
        assert!(routes.iter().any(|route| fits(&route.path)), "no route {path}");
    }
}

/// Goal: an alarm is heard, and nothing is taken for well or ill by accident.
#[test]
fn each_alarm_rings_and_says_what_silence_is() {
    let document = monitoring();
    let topic = json!({"If": ["HasAlarmTopic", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]});
    let mut silent = BTreeSet::new();
    for (id, alarm) in alarms(&document) {
        assert_eq!(alarm["AlarmActions"], topic, "{id}");
        assert!([&topic, &Value::Null].contains(&&alarm["OKActions"]), "{id}");
        if alarm["AlarmRule"].is_null() {
            match alarm["TreatMissingData"].as_str() {
                Some("notBreaching") => {}
                Some("breaching") => {
                    silent.insert(id);
                }
                other => panic!("{id}: {other:?}"),
            }
            let watched = watched(alarm);
            // AWS, "Alarms based on metric math expressions".
            assert!((1..=10).contains(&watched.len()), "{id} watches {watched:?}");
        }
    }
    assert_eq!(silent, BTreeSet::from(["StoppedSchedule"]), "only a schedule must be heard of");
}

/// Goal: somebody hears of whatever was given up, stands still, or does not run. Method: each queue,
/// stream and function that no request calls is looked for among what is watched.
#[test]
fn there_is_an_alarm_on_all_that_nobody_waits_for() {
    let watched = all_watched(&monitoring());
    let template = Template::read().unwrap();
    let mut seen = BTreeSet::new();
    let mut is_watched = |name: &str, of: &str| {
        assert!(watched.iter().any(|metric| metric.is_of(name, of)), "no alarm on {name} of {of}");
        seen.insert((name.to_owned(), of.to_owned()));
    };
    for (queue, settings) in template.queues().unwrap() {
        match settings.redrive {
            Some(redrive) => {
                is_watched("ApproximateAgeOfOldestMessage", &queue);
                is_watched("ApproximateNumberOfMessagesVisible", &redrive.dead_letter_queue);
            }
            // What is in it has nowhere to go from here.
            None => is_watched("ApproximateNumberOfMessagesVisible", &queue),
        }
    }
    for (function, source) in template.sources().unwrap() {
        is_watched("Errors", &function);
        match source {
            Source::Stream(source) => {
                is_watched("IteratorAge", &function);
                let failed = source.on_failure.expect("what it gives up goes somewhere");
                is_watched("ApproximateNumberOfMessagesVisible", &failed);
            }
            Source::Schedule { .. } => is_watched("Invocations", &function),
            Source::Queue(_) => {}
        }
    }
    for table in template.tables().unwrap() {
        is_watched("ReadThrottleEvents", &table.id);
        is_watched("WriteThrottleEvents", &table.id);
    }
    let of = |name: &str| seen.iter().filter(|(seen, _)| seen == name).count();
    assert_eq!(of("ApproximateNumberOfMessagesVisible"), 6);
    assert_eq!((of("ApproximateAgeOfOldestMessage"), of("IteratorAge"), of("Errors")), (4, 4, 9));
}

/// Goal: what is watched is what was deployed.
#[test]
fn the_template_passes_what_there_is_to_watch() {
    let (template, monitoring) = (deployment::template(), monitoring());
    let nested = &template["Resources"]["Monitoring"];
    assert_eq!(nested["Type"], "AWS::CloudFormation::Stack");
    assert_eq!(nested["Properties"]["TemplateURL"], "infra/monitoring.yaml");
    let passed = nested["Properties"]["Parameters"].as_object().unwrap();
    let wanted = monitoring["Parameters"].as_object().unwrap();
    let names = |of: &serde_json::Map<String, Value>| of.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(passed), names(wanted));
    let variables = &template["Globals"]["Function"]["Environment"]["Variables"];
    for (name, value) in passed {
        if name == "Namespace" {
            assert_eq!(value, &variables["METRICS_NAMESPACE"], "where functions say it");
            continue;
        }
        let resource = &template["Resources"][name];
        let expected = match resource["Type"].as_str() {
            Some("AWS::SQS::Queue") => json!({"GetAtt": format!("{name}.QueueName")}),
            _named_by_a_reference => json!({"Ref": name}),
        };
        assert_eq!(value, &expected, "{name}");
        assert!(!resource.is_null() || !template["Parameters"][name].is_null(), "{name}");
    }
}

/// Goal: the dashboard can be drawn. Method: every rule of CloudWatch's that ours could break.
#[test]
fn the_dashboard_is_well_formed() {
    let document = monitoring();
    let dashboard = dashboard(&document);
    let mut cells = BTreeSet::new();
    for widget in dashboard["widgets"].as_array().unwrap() {
        let [x, y, width, height] =
            ["x", "y", "width", "height"].map(|of| widget[of].as_u64().unwrap());
        assert!(x + width <= 24, "{widget}");
        for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "two widgets are at {cell:?}");
        }
    }
    let shown = widgets_of(&dashboard, "metric");
    assert!(shown.len() > 20, "{}", shown.len());
    for widget in shown {
        let properties = &widget["properties"];
        let title = properties["title"].as_str().unwrap();
        assert_eq!(properties["region"], "AWS::Region", "{title}");
        assert!(properties["stat"].is_string(), "{title}");
        assert_eq!(properties["period"].as_u64().unwrap() % 60, 0, "{title}");
        let rows = rows(widget);
        assert!(
            rows.iter().all(|row| row.len() >= 4 && row.len().is_multiple_of(2)),
            "{title}: {rows:?}"
        );
        let options = properties["metrics"].as_array().unwrap().iter();
        let options = options.filter_map(|row| row.as_array().unwrap().last());
        let ids: Vec<&str> = options.filter_map(|of| of["id"].as_str()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{title}: {ids:?}");
        for (expression, _) in expressions(widget) {
            let means = |id: &&str| expression.contains(id);
            let part = expression.split("METRICS(\"").nth(1).and_then(|of| of.split('"').next());
            let is_of = part.map_or_else(
                || searched(expression).is_some() || ids.iter().any(means),
                |part| ids.iter().any(|id| id.starts_with(part)),
            );
            assert!(is_of, "{title}: {expression} is of nothing");
        }
    }
    let rings = &widgets_of(&dashboard, "alarm")[0]["properties"]["alarms"];
    let rings: BTreeSet<&str> =
        rings.as_array().unwrap().iter().map(|of| of.as_str().unwrap()).collect();
    let all: BTreeSet<&str> = alarms(&document).into_keys().collect();
    assert_eq!(rings, all, "all alarms are on top");
}

/// What lines said that they measure: the metric, and the dimension's name and value.
type Said = BTreeSet<(String, String, String)>;

/// Takes down what the lines of a world say.
fn hear(world: &World, said: &mut Said) {
    for line in world.lines() {
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            let dimension = directive["Dimensions"][0][0].as_str().unwrap();
            let value = line[dimension].as_str().unwrap();
            for metric in directive["Metrics"].as_array().unwrap() {
                let name = metric["Name"].as_str().unwrap();
                said.insert((name.to_owned(), dimension.to_owned(), value.to_owned()));
            }
        }
    }
}

/// A booking, a second payment for it that cannot be refunded, a run of the schedule, and an answer that
/// is nobody's fault but ours.
async fn sell() -> World {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let payment = world.pay(&held, "succeed").await;
    world.confirm("ann", "t1", &payment).await.expect(200);
    for delivery in world.take_deliveries() {
        world.tell(&delivery).await.expect(200);
    }
    world.process().await;
    let second = world.pay(&held, "succeed").await;
    world.confirm("ann", "t1", &second).await.expect(409);
    world.change(&second, &json!({"failRefunds": true})).await;
    world.refund().await;
    world.reconcile().await.unwrap();
    world.wire.inject("TransactWriteItems", Fault::AccessDenied, 1);
    world.hold("bob", &["A2"], "t2").await.expect(500);
    world
}

/// Holds that end, and a show that is cancelled, not without trouble.
async fn end() -> World {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.advance(TimeDelta::seconds(HOLD_SECS));
    world.hold("bob", &["A1"], "t1").await.expect(201);
    world.release().await;
    world.book("ann", &["A2"], "t2").await;
    world.admin("POST", "/api/admin/shows/show-1/cancel", Value::Null).await.expect(202);
    world.wire.inject("TransactWriteItems", Fault::AccessDenied, 1);
    world.sweep().await;
    world.advance(TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS));
    world.sweep().await;
    world
}

/// Subscribers and customers are told, or cannot be.
async fn tell() -> World {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver.url, &[]).await;
    happen(&world).await;
    world.deliver().await;
    receiver.answer(410);
    world.hold("bob", &["A2"], "t2").await.expect(201);
    world.publish().await;
    world.deliver().await;
    for (user, seat) in [("ann@example.com", "A3"), ("bob", "A4")] {
        world.book(user, &[seat], "t3").await;
        world.publish().await;
        world.mail().await;
    }
    let booked = world.book("cat@example.com", &["A5"], "t4").await;
    world.publish().await;
    world.cancel("cat@example.com", booked["reservationId"].as_str().unwrap()).await.expect(200);
    world.mail().await;
    world
}

/// Goal: no alarm and no graph waits for a metric that nobody writes. Method: have all of it happen, and
/// compare what lines declared with what is asked for.
#[tokio::test]
async fn what_is_watched_is_what_functions_say() {
    let mut said = Said::new();
    for world in [sell().await, end().await, tell().await] {
        hear(&world, &mut said);
    }

    let document = monitoring();
    let dashboard = dashboard(&document);
    let shown = widgets_of(&dashboard, "metric");
    let mut asked = all_watched(&document);
    asked.extend(shown.iter().flat_map(|of| rows(of)).map(|row| Metric::of_row(&row)));
    let asked: BTreeSet<(String, String, String)> = asked
        .into_iter()
        .filter(|metric| metric.namespace == "Namespace")
        .map(|Metric { name, of, .. }| {
            let [(dimension, value)] = &of[..] else { panic!("{name} has dimensions {of:?}") };
            (name, dimension.clone(), value.clone())
        })
        .collect();
    assert!(asked.len() > 30, "{}", asked.len());
    let missing: Vec<_> = asked.difference(&said).collect();
    assert!(missing.is_empty(), "nobody says {missing:#?}");
    let searched = shown.iter().flat_map(|of| expressions(of)).filter_map(|(of, _)| searched(of));
    for name in searched {
        let says = |(said, dimension, _): &(String, String, String)| {
            said == name && dimension == "function"
        };
        assert!(said.iter().any(says), "nobody says {name}");
    }

    let is_overall = |(_, dimension, _): &&(String, String, String)| dimension == "service";
    let overall = said.iter().filter(is_overall).map(|(name, ..)| name.as_str());
    let rings = all_watched(&document).into_iter().filter(|of| of.of[0].0 == "service");
    let rings: BTreeSet<String> = rings.map(|metric| metric.name).collect();
    let overall: BTreeSet<String> = overall.map(str::to_owned).collect();
    assert_eq!(overall, rings, "what is counted over all functions has an alarm");
}

/// Goal: what the runbook has people make by hand works. Method: the stream is forgotten, and a record is
/// made of the stored item as `jq` makes it there.
#[tokio::test]
async fn a_record_made_by_hand_tells_what_was_missed() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    drop(world.take_records("PublishEvents").await);
    let item = world.items(&world.tables.reservations).remove(0);
    let mut before = item.clone();
    before["reservation_status"]["S"] = json!("PENDING");
    let record = json!({
        "eventID": "by-hand",
        "eventName": "MODIFY",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "SequenceNumber": "1",
            "SizeBytes": 0,
            "ApproximateCreationDateTime": world.now().timestamp(),
            "NewImage": item,
            "OldImage": before,
        },
    });
    assert_eq!(world.tell_of("PublishEvents", &[record]).await, 0);
    let told = on_bus(&world);
    let kinds: Vec<&str> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reservation.confirmed"]);
    assert_eq!(world.queues.bodies("RecordsFailed"), Vec::<String>::new());
}

/// Goal: what watching costs is known. Method: the document's sentence is made of what is there.
#[test]
fn the_alarms_are_as_many_as_the_document_pays_for() {
    let document = monitoring();
    let alarms = alarms(&document);
    let metrics: usize = alarms.values().map(|alarm| watched(alarm).len()).sum();
    let of_metrics = alarms.values().filter(|alarm| alarm["AlarmRule"].is_null()).count();
    let says = format!("{of_metrics} alarms over {metrics} metrics");
    assert!(include_str!("../../docs/capacity.md").contains(&says), "{says}");
}
