//! What a deployment's parameters make of the functions' environments.

use std::collections::BTreeSet;

use edge::{Keys, Limits, Settings, TokenSettings};
use local::template::{Template, Values};
use serde_json::{Value, json};

use super::{IDENTITY, identity, resources, template};
use crate::contract;

const SECRET: &str = "a-secret-of-32-characters-or-more";

/// A deployment: the template, and what is known of its stack.
struct Deployment {
    template: Template,
    values: Values,
}

impl Deployment {
    /// The one for whose parameters this was given.
    fn of(given: &[(&str, &str)]) -> Self {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut values = Values { parameters: given.collect(), ..resources_of(&template()) };
        let (document, part) = (identity(), Template::parse(IDENTITY).unwrap());
        let known = resources_of(&document);
        for output in document["Outputs"].as_object().unwrap().keys() {
            let value = part.output(output, &known).unwrap();
            values.attributes.insert(format!("Identity.Outputs.{output}"), value);
        }
        Self { template: Template::read().unwrap(), values }
    }

    /// Whether CloudFormation begins it.
    fn is_begun(&self) -> bool {
        self.template.is_begun(&self.values).unwrap()
    }

    /// A function's environment, as the edge reads it.
    fn settings(&self, function: &str) -> Settings {
        let variables = self.template.environment(function, &self.values).unwrap();
        Settings::from_variables(&variables).unwrap_or_else(|error| panic!("{function}: {error}"))
    }
}

/// The resources of a template, in a stack of ours. Each is named by its logical id, in small letters.
fn resources_of(document: &Value) -> Values {
    let ids = document["Resources"].as_object().unwrap().keys();
    let ids = ids.map(|id| (id.clone(), id.to_lowercase()));
    let stack = [("AWS::StackName", "marquee"), ("AWS::Region", "eu-west-1")];
    let stack = stack.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Values { references: ids.chain(stack).collect(), ..Values::default() }
}

/// Which tokens these are: whose keys, which `iss` and `aud`, and where their roles are.
fn said(tokens: &TokenSettings) -> [&str; 4] {
    let keys: &str = match &tokens.keys {
        Keys::Secret(_) => "a secret",
        Keys::Jwks { url } => url,
    };
    [keys, &tokens.issuer, &tokens.audience, &tokens.roles_claim]
}

/// Goal: who asks for tokens believes those of the stack's own pool, or of an issuer, or those that a secret
/// signs, as whoever deploys it wants; and all functions believe the same.
#[test]
fn tokens_are_of_a_user_pool_or_of_an_issuer_or_signed_by_a_secret() {
    let pool = Deployment::of(&[]);
    let issuer = Deployment::of(&[
        ("JwksUrl", "https://issuer.example/keys"),
        ("JwtIssuer", "https://issuer.example"),
        ("JwtAudience", "tickets"),
        ("JwtRolesClaim", "groups"),
    ]);
    let secret = Deployment::of(&[("JwtSecret", SECRET)]);
    let mut asking = 0;
    for function in Template::read().unwrap().functions() {
        match [&pool, &issuer, &secret].map(|deployment| deployment.settings(&function).tokens) {
            [None, None, None] => {}
            [Some(pool), Some(issuer), Some(secret)] => {
                asking += 1;
                let of_pool = [
                    "https://cognito-idp.eu-west-1.amazonaws.com/userpool/.well-known/jwks.json",
                    "https://cognito-idp.eu-west-1.amazonaws.com/userpool",
                    "client",
                    "cognito:groups",
                ];
                assert_eq!(said(&pool), of_pool, "{function}");
                let of_issuer =
                    ["https://issuer.example/keys", "https://issuer.example", "tickets", "groups"];
                assert_eq!(said(&issuer), of_issuer, "{function}");
                assert_eq!(
                    said(&secret),
                    ["a secret", "marquee", "marquee", "roles"],
                    "{function}"
                );
            }
            _some_of_them => panic!("{function} does not believe all kinds"),
        }
    }
    assert!(asking > 40, "{asking} functions ask for tokens");
}

/// Goal: what would be no safe stack, or none at all, is refused before there is any of it.
#[test]
fn a_deployment_that_makes_no_sense_is_not_begun() {
    let prod = ("Stage", "prod");
    let issuer = ("JwksUrl", "https://issuer.example/keys");
    let secret = ("JwtSecret", SECRET);
    let front = ("FrontSecret", SECRET);
    let domain = ("DomainName", "api.example.com");
    let certificate = ("CertificateArn", "arn:aws:acm:eu-west-1:1:certificate/1");
    let zone = ("HostedZoneId", "Z1");
    let from = ("EmailFrom", "tickets@example.com");
    let identity = ("SignInEmailIdentity", "arn:aws:ses:eu-west-1:1:identity/example.com");
    let good: [&[(&str, &str)]; 10] = [
        &[],
        &[prod],
        &[secret],
        &[prod, front],
        &[prod, issuer],
        &[prod, issuer, front],
        &[domain, certificate],
        &[domain, certificate, zone],
        &[from],
        &[from, identity],
    ];
    for given in good {
        assert!(Deployment::of(given).is_begun(), "{given:?}");
    }
    let bad: [&[(&str, &str)]; 7] = [
        &[issuer, secret],
        &[prod, secret],
        &[secret, front],
        &[domain],
        &[certificate],
        &[zone],
        &[identity],
    ];
    for given in bad {
        assert!(!Deployment::of(given).is_begun(), "{given:?}");
    }
}

/// Goal: whoever answers no question gets a stack that can sell, and whoever does is asked each of them once,
/// where it belongs.
#[test]
fn every_parameter_has_a_good_answer_and_a_place() {
    let document = template();
    let groups = &document["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"];
    let groups = groups.as_array().unwrap().iter();
    let mut asked: Vec<&str> = groups
        .flat_map(|group| group["Parameters"].as_array().unwrap())
        .map(|name| name.as_str().unwrap())
        .collect();
    asked.sort_unstable();
    let parameters = document["Parameters"].as_object().unwrap();
    let mut names: Vec<&str> = parameters.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(asked, names);
    for (name, parameter) in parameters {
        let default = &parameter["Default"];
        assert!(parameter["Description"].is_string() && !default.is_null(), "{name}");
        if let Some(allowed) = parameter["AllowedValues"].as_array() {
            assert!(allowed.contains(default), "{name}");
        }
        let pattern = parameter.get("AllowedPattern").map(|pattern| json!({"pattern": pattern}));
        let pattern = jsonschema::validator_for(&pattern.unwrap_or(json!({}))).unwrap();
        assert!(pattern.is_valid(default), "{name}");
        // A key in the clear would be in every list of parameters. And what is hidden there, SAM takes no
        // empty answer for.
        let is_a_key = name.ends_with("Secret") && name != "PaymentSecret";
        assert!(parameter["NoEcho"].is_null(), "{name}");
        let reference = "{{resolve:secretsmanager:marquee/dev/tokens:SecretString:::a1b2}}";
        if is_a_key {
            assert!(pattern.is_valid(&json!(reference)), "{name}");
            for wrong in [SECRET.to_owned(), format!("x{reference}"), reference.repeat(2)] {
                assert!(!pattern.is_valid(&json!(wrong)), "{name}: {wrong}");
            }
        }
    }
}

/// Goal: the stages of one account ring no alarm of each other. Method: every function's metrics are where
/// the stack's name says, and `monitoring.rs` sees that its alarms look there.
#[test]
fn metrics_are_where_the_alarms_of_the_same_stack_look() {
    let deployment = Deployment::of(&[]);
    for function in deployment.template.functions() {
        let settings = deployment.settings(&function);
        assert_eq!(settings.metrics_namespace, "Marquee/marquee", "{function}");
    }
}

/// Goal: nobody pays for a rehearsal.
#[test]
fn real_money_moves_in_prod_alone() {
    for (stage, is_live) in [("dev", false), ("staging", false), ("prod", true)] {
        let deployment = Deployment::of(&[("Stage", stage)]);
        let all = deployment.template.functions().into_iter();
        let payments = all.filter_map(|function| deployment.settings(&function).payments);
        let live: Vec<bool> = payments.map(|payments| payments.live).collect();
        assert_eq!(live, [is_live; 6], "{stage}");
    }
}

/// Goal: whoever mistypes a limit hears of it before anything is deployed. Method: around every bound,
/// compare what the parameter lets through with what the functions can read.
#[test]
fn limits_that_a_deployment_takes_are_limits_that_functions_read() {
    let document = template();
    let pattern = &document["Parameters"]["LimitPolicies"]["AllowedPattern"];
    let pattern = jsonschema::validator_for(&json!({"pattern": pattern})).unwrap();
    let is_taken = |text: &str| pattern.is_valid(&json!(text));
    let reads = |text: &str| text.parse::<Limits>().is_ok();
    let whole = "hold=60/60,confirm=60/60,cancel=60/60,checkout=60/60,read=3000/60,held_seats=10";
    for good in ["", whole, "held_seats=8,hold=5/10", "read=60000/60", "read=100000/100"] {
        assert!(reads(good) && is_taken(good), "{good:?}");
    }
    let bad = "hold hold= hold=1 hold=1/ hold=/1 hold=a/1 hold=-1/1 Hold=1/1 x=1/1 hold=1/1/1 \
        hold=1/1;read=1/1 hold=1/1read=1/1 hold=1/1,read \
        held_seats held_seats=0 held_seats=1/1 held_seats=ten held_seats=99999999999";
    for bad in bad.split(' ') {
        assert!(!reads(bad) && !is_taken(bad), "{bad:?}");
    }
    let around = |bounds: &[u32]| -> BTreeSet<u32> {
        bounds.iter().flat_map(|bound| bound - 1..=bound + 1).collect()
    };
    let bursts = around(&[1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]);
    let times = around(&[1, 10, 100, 1_000, 10_000, 80_000, 86_000, 86_400, 90_000, 100_000]);
    for burst in bursts {
        for &secs in &times {
            let text = format!("read={burst}/{secs}");
            assert!(reads(&text) || !is_taken(&text), "{text}");
            let is_fast = burst > 1_000 && secs < 100;
            assert!(is_taken(&text) || is_fast || !reads(&text), "{text} is a limit");
        }
    }
}

/// Goal: no function dies for want of a table's name.
#[test]
fn every_table_is_named_to_every_function() {
    let document = template();
    let variables = &document["Globals"]["Function"]["Environment"]["Variables"];
    for (id, _) in resources(&document, "AWS::DynamoDB::Table") {
        let variable = format!("{}_TABLE", id.to_uppercase());
        assert_eq!(variables[&variable], json!({"Ref": id}), "{variable}");
    }
}

/// Goal: no function dies at its start for want of a setting, and none knows what it need not.
/// Method: read each one's environment as the edge does, and compare what it can do with what it is
/// there for.
#[test]
fn every_function_has_the_settings_that_it_needs() {
    let deployment = Deployment::of(&[
        ("JwksUrl", "https://issuer.example/keys"),
        ("PreviousTicketSecret", SECRET),
        ("FrontSecret", SECRET),
        ("EmailFrom", "tickets@example.com"),
    ]);
    let template = Template::read().unwrap();
    let routes = template.routes();
    for function in template.functions() {
        let settings = deployment.settings(&function);
        let route = routes.iter().find(|route| route.function == function);
        let operation = route.and_then(|of| contract::operation(&of.method, &of.path));
        let security = operation.and_then(|operation| operation["security"].as_array());
        let wants_a_user = security.is_some_and(|list| !list.is_empty());
        assert_eq!(settings.tokens.is_some(), wants_a_user, "{function}");
        assert_eq!(!settings.front_secrets.is_empty(), route.is_some(), "{function}: a front");
        assert!(!settings.allows_loopback, "{function}");
        let payments: &[&str] = &[
            "CheckoutReservation",
            "ConfirmReservation",
            "ProcessPaymentEvents",
            "ReceivePaymentWebhook",
            "ReconcilePayments",
            "RefundPayments",
        ];
        let queues = &settings.queues;
        let wanted_by: [(&str, bool, &[&str]); 10] = [
            ("payments", settings.payments.is_some(), payments),
            ("payment events", queues.payment_events.is_some(), &["ReceivePaymentWebhook"]),
            (
                "show cancellations",
                queues.show_cancellations.is_some(),
                &["CancelShow", "SweepCancelledShows"],
            ),
            (
                "event deliveries",
                queues.event_deliveries.is_some(),
                &["PublishEvents", "DeliverEvents"],
            ),
            ("e-mails", queues.emails.is_some(), &["PublishEvents"]),
            ("the event bus", settings.event_bus.is_some(), &["PublishEvents"]),
            ("a sender", settings.email_from.is_some(), &["SendEmails"]),
            (
                "what makes no sense",
                queues.records_failed.is_some(),
                &["CountAvailableSeats", "PublishEvents", "ReleaseExpiredHolds"],
            ),
            ("older tickets", settings.previous_ticket_secret.is_some(), &["ScanTicket"]),
            ("tickets", settings.ticket_secret.is_some(), &["SendEmails", "ScanTicket"]),
        ];
        for (what, is_set, functions) in wanted_by {
            assert_eq!(is_set, functions.contains(&function.as_str()), "{function}: {what}");
        }
    }
}
