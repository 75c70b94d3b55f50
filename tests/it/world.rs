//! A world for one test: tables, a clock, a provider, a small catalogue, and users.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use domain::catalog::{Auditorium, City, Movie, Theatre};
use domain::layout::{Layout, RawLayout, Row, Run, Section};
use domain::show::{AuditoriumRef, MovieRef, PriceList, Show, Status, TheatreRef};
use domain::time::{HoldTerms, Timestamp};
use dynoxide::Database;
use dynoxide::storage_backend::ManualClock;
use edge::{App, Role, Settings, TokenSettings};
use lambda_http::{Context, LambdaEvent};
use local::dynamodb::{Embedded, client_over, create_tables};
use local::template::{Route, Template};
use serde_json::{Value, json};
use store::{Store, Tables};

use crate::contract;
use crate::wire::Wire;

/// When every world begins: noon in Delhi.
pub(crate) const START: &str = "2026-11-22T06:30:00Z";

/// What holds last in a world, in seconds.
pub(crate) const HOLD_SECS: i64 = 300;

/// The price of a REGULAR seat, in paise.
pub(crate) const REGULAR: u64 = 45_000;

/// The lines that invocations logged.
type Lines = Arc<Mutex<Vec<String>>>;

pub(crate) struct World {
    pub(crate) db: Database,
    pub(crate) wire: Wire,
    pub(crate) store: Store,
    pub(crate) app: App,
    pub(crate) tables: Tables,
    pub(crate) tokens: TokenSettings,
    lines: Lines,
    clock: Arc<AtomicI64>,
    engine_clock: ManualClock,
    routes: Vec<Route>,
    pub(crate) provider_url: String,
}

/// An answer, as a client sees it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    /// The code of a problem that must have this status.
    #[track_caller]
    pub(crate) fn problem(self, status: u16) -> String {
        let body = self.expect(status);
        body["code"].as_str().expect("a problem has a code").to_owned()
    }
}

impl World {
    /// A world with its catalogue, at [`START`].
    pub(crate) async fn new() -> Self {
        let start: Timestamp = START.parse().unwrap();
        let clock = Arc::new(AtomicI64::new(start.timestamp_millis()));
        let engine_clock = ManualClock::new(start.timestamp().unsigned_abs());
        let db = Database::memory_with_clock(engine_clock.arc()).unwrap();
        let wire = Wire::new(Embedded(db.clone()));
        let client = client_over(wire.clone());
        let template = Template::read().unwrap();
        let tables = create_tables(&client, &template, "", true).await.unwrap();
        let store = Store::new(client, tables.clone());
        let tokens = local::token::settings("a secret of some length for a world");
        let provider_url = provider().await;
        let lines = Lines::default();
        let app = app(&store, &tables, &tokens, &provider_url, &clock, &lines);
        let routes = template.routes();
        let world = Self {
            db,
            wire,
            store,
            app,
            tables,
            tokens,
            lines,
            clock,
            engine_clock,
            routes,
            provider_url,
        };
        world.fill().await;
        world.wire.take_calls();
        world
    }

    /// The same tables, seen by a cold function that was told the provider is elsewhere.
    pub(crate) fn with_provider_at(&self, base_url: &str) -> Self {
        let clock = Arc::new(AtomicI64::new(self.clock.load(SeqCst)));
        let lines = Lines::default();
        let app = app(&self.store, &self.tables, &self.tokens, base_url, &clock, &lines);
        Self {
            db: self.db.clone(),
            wire: self.wire.clone(),
            store: self.store.clone(),
            app,
            tables: self.tables.clone(),
            tokens: self.tokens.clone(),
            lines,
            clock,
            engine_clock: self.engine_clock.clone(),
            routes: self.routes.clone(),
            provider_url: base_url.to_owned(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_timestamp_millis(self.clock.load(SeqCst)).unwrap()
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        self.set_now(self.now() + by);
    }

    pub(crate) fn set_now(&self, to: Timestamp) {
        self.clock.store(to.timestamp_millis(), SeqCst);
        self.engine_clock.set(to.timestamp().unsigned_abs());
    }

    pub(crate) fn token(&self, user: &str) -> String {
        local::token::mint(&self.tokens, user, Role::User, self.now())
    }

    /// Calls the function behind a path, as `user`.
    pub(crate) async fn call(&self, user: &str, method: &str, path: &str, body: Value) -> Answer {
        let token = format!("Bearer {}", self.token(user));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.raw(method, path, &[("authorization", &token)], &body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.raw("GET", path, &[], "").await
    }

    /// Calls the function behind a path, with anything.
    pub(crate) async fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let (route, event) = self.event(method, path, headers, body);
        let answer = self.invoke(&route, event).await;
        contract::check(method, &route.path, &answer);
        answer
    }

    /// The route of a path, and the event that API Gateway makes for it (payload format 2.0).
    pub(crate) fn event(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (Route, Value) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (route, parameters) = self.route(method, path);
        let key = format!("{method} {}", route.path);
        let event = json!({
            "version": "2.0",
            "routeKey": key,
            "rawPath": path,
            "rawQueryString": query,
            "headers": headers.iter().copied().collect::<BTreeMap<_, _>>(),
            "pathParameters": parameters,
            "requestContext": {
                "http": {"method": method, "path": path},
                "stage": "$default",
            },
            "body": body,
            "isBase64Encoded": false,
        });
        (route, event)
    }

    /// Calls a route's function with an event.
    pub(crate) async fn invoke(&self, route: &Route, event: Value) -> Answer {
        let function = local::functions::by_id(&route.function, &self.app).unwrap();
        let mut context = Context::default();
        context.request_id = "request-1".to_owned();
        let answer = function(LambdaEvent::new(event, context)).await.unwrap();
        let headers = answer["headers"].as_object().unwrap().iter();
        let multi = answer["multiValueHeaders"].as_object().into_iter().flatten();
        let multi = multi.map(|(name, values)| (name, &values[0]));
        let text = answer["body"].as_str().unwrap_or_default();
        Answer {
            status: answer["statusCode"].as_u64().unwrap().try_into().unwrap(),
            headers: headers
                .chain(multi)
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                .collect(),
            body: if text.is_empty() { Value::Null } else { serde_json::from_str(text).unwrap() },
        }
    }

    fn route(&self, method: &str, path: &str) -> (Route, BTreeMap<String, String>) {
        let fits = |route: &Route| {
            let (ours, theirs) = (route.path.split('/'), path.split('/'));
            if route.method != method || ours.clone().count() != theirs.clone().count() {
                return None;
            }
            let mut parameters = BTreeMap::new();
            for (ours, theirs) in ours.zip(theirs) {
                match ours.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) => drop(parameters.insert(name.to_owned(), theirs.to_owned())),
                    None if ours == theirs => {}
                    None => return None,
                }
            }
            Some(parameters)
        };
        // API Gateway takes the most specific route first: the one with the fewest parameters.
        let mut found: Vec<_> =
            self.routes.iter().filter_map(|route| Some((route, fits(route)?))).collect();
        found.sort_by_key(|(_, parameters)| parameters.len());
        let (route, parameters) =
            found.into_iter().next().unwrap_or_else(|| panic!("no route {method} {path}"));
        (route.clone(), parameters)
    }

    pub(crate) async fn hold(&self, user: &str, seats: &[&str], token: &str) -> Answer {
        self.hold_of(user, "show-1", seats, token).await
    }

    pub(crate) async fn hold_of(
        &self,
        user: &str,
        show: &str,
        seats: &[&str],
        token: &str,
    ) -> Answer {
        let body = json!({"showId": show, "seatIds": seats, "holdToken": token});
        self.call(user, "POST", "/api/reservations/hold", body).await
    }

    pub(crate) async fn confirm(&self, user: &str, token: &str, payment: &str) -> Answer {
        let body = json!({"holdToken": token, "paymentReference": payment});
        self.call(user, "POST", "/api/reservations/confirm", body).await
    }

    pub(crate) async fn cancel(&self, user: &str, reservation: &str) -> Answer {
        let body = json!({"reservationId": reservation});
        self.call(user, "POST", "/api/reservations/cancel", body).await
    }

    /// Pays for a reservation at the provider, and returns the payment's reference.
    pub(crate) async fn pay(&self, reservation: &Value, outcome: &str) -> String {
        let amount = &reservation["amount"];
        self.pay_amount(reservation, &amount["amount"], &amount["currency"], outcome).await
    }

    pub(crate) async fn pay_amount(
        &self,
        reservation: &Value,
        amount: &Value,
        currency: &Value,
        outcome: &str,
    ) -> String {
        let order = json!({
            "reservationId": reservation["reservationId"],
            "amount": amount,
            "currency": currency,
            "outcome": outcome,
        });
        self.order(&order).await
    }

    /// Orders a payment at the provider, and returns its reference.
    pub(crate) async fn order(&self, order: &Value) -> String {
        let url = format!("{}/sandbox/payments", self.provider_url);
        let paid = reqwest::Client::new().post(url).json(order).send().await.unwrap();
        let paid: Value = paid.error_for_status().unwrap().json().await.unwrap();
        paid["paymentReference"].as_str().unwrap().to_owned()
    }

    /// Ends a payment that stays pending at the provider.
    pub(crate) async fn finish(&self, payment: &str, outcome: &str) {
        let url = format!("{}/sandbox/payments/{payment}", self.provider_url);
        let ending = json!({"outcome": outcome});
        let ended = reqwest::Client::new().put(url).json(&ending).send().await.unwrap();
        ended.error_for_status().unwrap();
    }

    /// Holds seats, pays and confirms, and returns the booking.
    pub(crate) async fn book(&self, user: &str, seats: &[&str], token: &str) -> Value {
        let held = self.hold(user, seats, token).await.expect(201);
        let payment = self.pay(&held, "succeed").await;
        self.confirm(user, token, &payment).await.expect(200)
    }

    /// The status of a seat on the map.
    pub(crate) async fn seat(&self, seat: &str) -> String {
        let map = self.get("/api/shows/show-1/seats").await.expect(200);
        let items = map["items"].as_array().unwrap();
        let item = items.iter().find(|item| item["seatId"] == seat);
        item.expect("the seat is on the map")["status"].as_str().unwrap().to_owned()
    }

    /// The line that the last invocation logged.
    pub(crate) fn last_line(&self) -> Value {
        let lines = self.lines.lock().unwrap();
        serde_json::from_str(lines.last().expect("something was called")).unwrap()
    }

    /// Every item of a table, as plain JSON.
    pub(crate) fn items(&self, table: &str) -> Vec<Value> {
        let request = serde_json::from_value(json!({"TableName": table})).unwrap();
        let answer = serde_json::to_value(self.db.scan(request).unwrap()).unwrap();
        answer["Items"].as_array().cloned().unwrap_or_default()
    }

    /// The payments with their statuses and reasons.
    pub(crate) fn payments(&self) -> Vec<(String, Option<String>)> {
        let text = |item: &Value, name: &str| item[name]["S"].as_str().map(str::to_owned);
        self.items(&self.tables.payments)
            .iter()
            .map(|item| (text(item, "payment_status").unwrap(), text(item, "refund_reason")))
            .collect()
    }

    async fn fill(&self) {
        let delhi = City::new(name("Delhi"), "Asia/Kolkata".to_owned()).unwrap();
        let mumbai = City::new(name("Mumbai"), "Asia/Kolkata".to_owned()).unwrap();
        self.store.put_city(&delhi).await.unwrap();
        self.store.put_city(&mumbai).await.unwrap();
        let theatre = Theatre {
            id: "regal".parse().unwrap(),
            name: name("Regal"),
            city_id: delhi.id.clone(),
        };
        self.store.put_theatre(&theatre).await.unwrap();
        self.put_layout("screen-1", hall()).await;
        self.put_layout("arena", arena()).await;
        let day = TimeDelta::days(1);
        let inception = movie("inception", "Inception");
        self.put_show(&inception, |_| {}).await;
        self.put_show(&movie("amelie", "Amélie"), |show| {
            show.id = "show-2".parse().unwrap();
            show.starts_at += TimeDelta::hours(3);
            show.language = "French".to_owned();
            show.screen_type = "IMAX".to_owned();
        })
        .await;
        self.put_show(&inception, |show| {
            show.id = "begun".parse().unwrap();
            show.starts_at -= day + TimeDelta::minutes(1);
            show.date = show.date.pred_opt().unwrap();
        })
        .await;
        self.put_show(&inception, |show| {
            show.id = "cancelled".parse().unwrap();
            show.status = Status::Cancelled;
            show.starts_at += day;
            show.date = show.date.succ_opt().unwrap();
        })
        .await;
        self.put_show(&inception, |show| {
            show.id = "announced".parse().unwrap();
            show.status = Status::Scheduled;
            show.starts_at += day;
            show.date = show.date.succ_opt().unwrap();
        })
        .await;
        self.put_show(&inception, |show| {
            show.id = "arena-show".parse().unwrap();
            show.auditorium.id = "arena".parse().unwrap();
            show.starts_at += day;
            show.date = show.date.succ_opt().unwrap();
        })
        .await;
    }

    async fn put_layout(&self, id: &str, layout: Layout) {
        let auditorium = Auditorium {
            id: id.parse().unwrap(),
            name: name("Screen 1"),
            theatre_id: "regal".parse().unwrap(),
        };
        self.store.put_layout(&auditorium, 1, &layout).await.unwrap();
    }

    /// Writes show-1, changed by `change`.
    pub(crate) async fn put_show(&self, movie: &Movie, change: impl FnOnce(&mut Show)) {
        let starts_at = START.parse::<Timestamp>().unwrap() + TimeDelta::days(1);
        let prices = [("REGULAR", REGULAR), ("PREMIUM", 60_000)];
        let prices = prices.map(|(seat_type, minor)| (seat_type.parse().unwrap(), minor));
        let mut show = Show {
            id: "show-1".parse().unwrap(),
            movie: MovieRef { id: movie.id.clone(), title: movie.title.clone() },
            theatre: TheatreRef { id: "regal".parse().unwrap(), name: name("Regal") },
            auditorium: AuditoriumRef {
                id: "screen-1".parse().unwrap(),
                name: name("Screen 1"),
                layout_version: 1,
            },
            city_id: "delhi".parse().unwrap(),
            date: "2026-11-23".parse().unwrap(),
            starts_at,
            ends_at: starts_at,
            language: "English".to_owned(),
            screen_type: "2D".to_owned(),
            prices: PriceList::new("INR".parse().unwrap(), prices.into_iter().collect()).unwrap(),
            status: Status::OnSale,
        };
        change(&mut show);
        show.ends_at = show.starts_at + TimeDelta::hours(3);
        self.store.put_show(&show, movie).await.unwrap();
    }
}

/// A cold function's app.
fn app(
    store: &Store,
    tables: &Tables,
    tokens: &TokenSettings,
    provider_url: &str,
    clock: &Arc<AtomicI64>,
    lines: &Lines,
) -> App {
    let settings = Settings {
        tables: tables.clone(),
        hold_terms: HoldTerms::of_secs(HOLD_SECS.try_into().unwrap()),
        tokens: Some(tokens.clone()),
        payments: Some(edge::payment::Settings {
            provider: "sandbox".parse().unwrap(),
            base_url: provider_url.to_owned(),
        }),
        log: {
            let lines = Arc::clone(lines);
            Arc::new(move |line| lines.lock().unwrap().push(line.to_owned()))
        },
    };
    let clock = Arc::clone(clock);
    let now = move || Timestamp::from_timestamp_millis(clock.load(SeqCst)).unwrap();
    App::new(store.clone(), settings, Arc::new(now))
}

/// A provider of the world's own, on a port of its own, for as long as the test runs.
async fn provider() -> String {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, local::sandbox::router()).await });
    url
}

pub(crate) fn name(text: &str) -> domain::catalog::Name {
    text.to_owned().try_into().unwrap()
}

pub(crate) fn movie(id: &str, title: &str) -> Movie {
    Movie {
        id: id.parse().unwrap(),
        title: name(title),
        languages: vec!["English".to_owned()],
        genres: vec!["Drama".to_owned()],
        runtime_minutes: 148,
        certificate: "UA".to_owned(),
    }
}

fn row(label: char, seats: u16, seat_type: &str) -> Row {
    Row {
        label: label.to_string(),
        runs: vec![Run { first: 1, last: seats, seat_type: seat_type.parse().unwrap() }],
        aisles_after: Vec::new(),
    }
}

/// Rows A to C of 12 seats, the last one PREMIUM.
fn hall() -> Layout {
    let rows = vec![row('A', 12, "REGULAR"), row('B', 12, "REGULAR"), row('C', 12, "PREMIUM")];
    let sections = vec![Section { id: "MAIN".parse().unwrap(), rows }];
    RawLayout { sections }.try_into().unwrap()
}

/// Three sections of 2,000 seats: more than one seat map lists.
fn arena() -> Layout {
    let section = |id: &str| Section {
        id: id.parse().unwrap(),
        rows: ('A'..='T').map(|label| row(label, 100, "REGULAR")).collect(),
    };
    let sections = ["NORTH", "SOUTH", "EAST"].map(section).to_vec();
    RawLayout { sections }.try_into().unwrap()
}
