//! A world for one test: tables, queues, a clock, a provider, a small catalogue, and users.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use axum::Router;
use chrono::TimeDelta;
use domain::limits::{EVENT_LOG_SETTLES_AFTER_SECS, SWEEP_SETTLES_AFTER_SECS};
use domain::payment;
use domain::time::{HoldTerms, Timestamp};
use edge::payment::{Carrier, ProviderSecrets, SecretSource};
use edge::{App, Clients, Clock, Keys, Limits, Role, Settings, TokenSettings};
use lambda_http::{Context, LambdaEvent};
use local::bus::{self, Bus};
use local::dynamodb::{client_over, create_tables};
use local::mailbox::{self, Mailbox};
use local::queue::{self, Queues};
use local::sandbox::Delivery;
use local::template::{Route, Template};
use serde_json::{Value, json};
use store::{Store, Tables};

use crate::contract;
use crate::engine::Engine;
use crate::provider;
use crate::pumps::Streams;
use crate::secrets::Vault;
use crate::wire::Wire;

/// When every world begins: noon in Delhi.
pub(crate) const START: &str = "2026-11-22T06:30:00Z";

/// What holds last in a world, in seconds.
pub(crate) const HOLD_SECS: i64 = 300;

/// What signs the webhooks of each provider. Two of Stripe's, as while one replaces the other.
pub(crate) const WEBHOOK_SECRETS: [(&str, &str); 4] = [
    ("sandbox", "whsec_c2VjcmV0IG9mIGEgc2FuZGJveA=="),
    ("stripe", "whsec_new"),
    ("stripe", "whsec_old"),
    ("razorpay", "a webhook secret"),
];

/// The lines that invocations logged.
type Lines = Arc<Mutex<Vec<String>>>;

/// What the provider has to tell, and nobody was told yet.
pub(crate) type Deliveries = Arc<Mutex<Vec<Delivery>>>;

pub(crate) struct World {
    pub(crate) db: Engine,
    pub(crate) wire: Wire,
    pub(crate) store: Store,
    pub(crate) app: App,
    pub(crate) tables: Tables,
    pub(crate) tokens: TokenSettings,
    pub(crate) queues: Queues,
    pub(crate) bus: Bus,
    pub(crate) mailbox: Mailbox,
    pub(crate) deliveries: Deliveries,
    lines: Lines,
    clock: Arc<AtomicI64>,
    template: Template,
    pub(crate) provider_url: String,
    sandbox: Router,
    pub(crate) provider: &'static str,
    pub(crate) streams: Streams,
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
        Self::on(Engine::new(start().timestamp().unsigned_abs())).await
    }

    /// The same, on a server elsewhere.
    pub(crate) async fn at(url: &str) -> Self {
        Self::on(Engine::at(url, start().timestamp().unsigned_abs())).await
    }

    async fn on(db: Engine) -> Self {
        let clock = Arc::new(AtomicI64::new(start().timestamp_millis()));
        let wire = Wire::new(db.clone());
        let client = client_over(wire.clone());
        let template = Template::read().unwrap();
        let tables = create_tables(&client, &template, db.prefix(), true).await.unwrap();
        let store = Store::new(client, tables.clone());
        let queues = Queues::new(told_by(&clock));
        for (name, settings) in template.queues().unwrap() {
            queues.create(&name, settings);
        }
        let bus = Bus::new(told_by(&clock));
        let mailbox = Mailbox::new(told_by(&clock));
        let deliveries = Deliveries::default();
        let (provider_url, sandbox) = provider::start(told_by(&clock), &deliveries).await;
        let world = Self::over(Parts {
            db,
            wire,
            store,
            tables,
            queues,
            bus,
            mailbox,
            deliveries,
            clock,
            template,
            provider: "sandbox",
            provider_url,
            sandbox,
            carrier: None,
            live: false,
            vault: None,
            hold_secs: HOLD_SECS.try_into().unwrap(),
            limits: Limits::default(),
            issuer: None,
            front_secrets: Vec::new(),
        });
        world.fill().await;
        world.wire.take_calls();
        world
    }

    fn over(parts: Parts) -> Self {
        let lines = Lines::default();
        let mut tokens = local::token::settings("a secret of some length for a world");
        if let Some(url) = &parts.issuer {
            tokens.keys = Keys::Jwks { url: url.clone() };
            tokens.issuer = "https://issuer.example".to_owned();
        }
        let app = app(&parts, &tokens, &lines);
        Self {
            db: parts.db,
            wire: parts.wire,
            store: parts.store,
            app,
            tables: parts.tables,
            tokens,
            queues: parts.queues,
            bus: parts.bus,
            mailbox: parts.mailbox,
            deliveries: parts.deliveries,
            lines,
            clock: parts.clock,
            template: parts.template,
            provider: parts.provider,
            provider_url: parts.provider_url,
            sandbox: parts.sandbox,
            streams: Streams::default(),
        }
    }

    /// The same tables and queues, seen by cold functions that were told the provider is elsewhere.
    pub(crate) fn with_provider_at(&self, base_url: &str) -> Self {
        self.with_provider(self.provider, base_url)
    }

    /// The same tables and queues, seen by cold functions that use another provider.
    pub(crate) fn with_provider(&self, provider: &'static str, base_url: &str) -> Self {
        Self::over(self.parts(provider, base_url))
    }

    /// The same, where holds last as long as this.
    pub(crate) fn with_holds_of(&self, secs: u32) -> Self {
        let mut parts = self.parts(self.provider, &self.provider_url);
        parts.clock = Arc::clone(&self.clock);
        parts.hold_secs = secs;
        Self::over(parts)
    }

    /// The same, seen by cold functions: nothing is remembered.
    pub(crate) fn cold(&self) -> Self {
        let mut parts = self.parts(self.provider, &self.provider_url);
        parts.clock = Arc::clone(&self.clock);
        Self::over(parts)
    }

    fn parts(&self, provider: &'static str, base_url: &str) -> Parts {
        Parts {
            db: self.db.clone(),
            wire: self.wire.clone(),
            store: self.store.clone(),
            tables: self.tables.clone(),
            queues: self.queues.clone(),
            bus: self.bus.clone(),
            mailbox: self.mailbox.clone(),
            deliveries: Arc::clone(&self.deliveries),
            clock: Arc::new(AtomicI64::new(self.clock.load(SeqCst))),
            template: self.template.clone(),
            provider,
            provider_url: base_url.to_owned(),
            sandbox: self.sandbox.clone(),
            carrier: None,
            live: false,
            vault: None,
            hold_secs: HOLD_SECS.try_into().unwrap(),
            limits: Limits::default(),
            issuer: None,
            front_secrets: Vec::new(),
        }
    }

    /// The same, where users may do as much as this says.
    pub(crate) fn with_limits(&self, limits: &str) -> Self {
        let mut parts = self.parts(self.provider, &self.provider_url);
        parts.clock = Arc::clone(&self.clock);
        parts.limits = limits.parse().unwrap();
        Self::over(parts)
    }

    /// The same, seen by cold functions that believe the tokens of an issuer whose keys are here.
    pub(crate) fn with_issuer(&self, url: &str) -> Self {
        let mut parts = self.parts(self.provider, &self.provider_url);
        parts.clock = Arc::clone(&self.clock);
        parts.issuer = Some(url.to_owned());
        Self::over(parts)
    }

    /// The same, seen by cold functions behind a front that proves itself by any of `secrets`.
    pub(crate) fn with_front(&self, secrets: &[&str]) -> Self {
        let mut parts = self.parts(self.provider, &self.provider_url);
        parts.clock = Arc::clone(&self.clock);
        parts.front_secrets = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        Self::over(parts)
    }

    /// The same, seen by cold functions that have the provider in their own process: no socket is between
    /// them, so that nothing takes time but what a test lets take time.
    pub(crate) fn with_provider_within(&self) -> Self {
        let mut parts = self.parts(self.provider, &self.provider_url);
        parts.clock = Arc::clone(&self.clock);
        parts.carrier = Some(provider::carrier(self.sandbox.clone()));
        Self::over(parts)
    }

    /// The same, where real money moves: Stripe, at an address where nobody is.
    pub(crate) fn with_real_money(&self) -> Self {
        let mut parts = self.parts("stripe", "https://127.0.0.1:9");
        parts.live = true;
        Self::over(parts)
    }

    /// The same, with Stripe's keys in Secrets Manager.
    pub(crate) fn with_vault(&self, vault: &Vault) -> Self {
        let mut parts = self.parts("stripe", "http://127.0.0.1:9");
        parts.vault = Some(vault.clone());
        Self::over(parts)
    }

    pub(crate) fn template(&self) -> &Template {
        &self.template
    }

    /// The world's clock, for what is beside it.
    pub(crate) fn clock(&self) -> Clock {
        told_by(&self.clock)
    }

    /// Each call of `DynamoDB` takes so long, from now on.
    pub(crate) fn takes(&self, millis: i64) {
        let clock = Arc::clone(&self.clock);
        self.wire.at_each_call(move || {
            clock.fetch_add(millis, SeqCst);
        });
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_timestamp_millis(self.clock.load(SeqCst)).unwrap()
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        self.set_now(self.now() + by);
    }

    pub(crate) fn set_now(&self, to: Timestamp) {
        self.clock.store(to.timestamp_millis(), SeqCst);
        self.db.set_now(to.timestamp().unsigned_abs());
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

    /// Calls the function behind a path, as an admin.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: Value) -> Answer {
        let token = local::token::mint(&self.tokens, "boss", Role::Admin, self.now());
        let token = format!("Bearer {token}");
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
        let routes = self.template.routes();
        let chosen = Route::chosen(&routes, method, path);
        let (route, parameters) = chosen.unwrap_or_else(|| panic!("no route {method} {path}"));
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

    pub(crate) async fn checkout(&self, user: &str, token: &str) -> Answer {
        let body = json!({"holdToken": token});
        self.call(user, "POST", "/api/reservations/checkout", body).await
    }

    pub(crate) async fn confirm(&self, user: &str, token: &str, payment: &str) -> Answer {
        let body = json!({"holdToken": token, "paymentReference": payment});
        self.call(user, "POST", "/api/reservations/confirm", body).await
    }

    pub(crate) async fn cancel(&self, user: &str, reservation: &str) -> Answer {
        let body = json!({"reservationId": reservation});
        self.call(user, "POST", "/api/reservations/cancel", body).await
    }

    /// The references of all payments that we know, in the order of their creation.
    pub(crate) fn references(&self) -> Vec<String> {
        let mut payments = self.items(&self.tables.payments);
        payments.sort_by_key(|item| item["created_at"]["S"].as_str().unwrap().to_owned());
        let key =
            |item: &Value| item["pk"]["S"].as_str().unwrap().rsplit('#').next().map(str::to_owned);
        payments.iter().filter_map(key).collect()
    }

    /// Posts a webhook.
    pub(crate) async fn webhook(
        &self,
        provider: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.raw("POST", &format!("/api/payments/webhooks/{provider}"), headers, body).await
    }

    /// Holds seats, pays and confirms, and returns the booking.
    pub(crate) async fn book(&self, user: &str, seats: &[&str], token: &str) -> Value {
        let held = self.hold(user, seats, token).await.expect(201);
        let payment = self.pay(&held, "succeed").await;
        self.confirm(user, token, &payment).await.expect(200)
    }

    /// Keeps seats of a section for the house.
    pub(crate) async fn block(&self, show: &str, section: &str, seats: &[&str]) {
        let show = self.store.show(&show.parse().unwrap()).await.unwrap().unwrap();
        let place = |seat: &&str| (section.parse().unwrap(), seat.parse().unwrap());
        let places: Vec<_> = seats.iter().map(place).collect();
        self.store.change_house_seats(&show, &places, &[], self.now()).await.unwrap();
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

    /// The lines that invocations logged, from the first one on.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self.lines.lock().unwrap();
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Every item of a table, as plain JSON.
    pub(crate) fn items(&self, table: &str) -> Vec<Value> {
        self.db.scan(table)
    }

    /// Puts a payment of 450 rupees as it would be in this status.
    pub(crate) fn put_payment(&self, reference: &str, status: payment::Status, of: &str) {
        let now = domain::time::text(self.now());
        let mut item = json!({
            "pk": {"S": format!("PAYMENT#sandbox#{reference}")},
            "payment_status": {"S": status},
            "reservation_id": {"S": of},
            "amount_minor": {"N": "45000"},
            "currency": {"S": "INR"},
            "created_at": {"S": now},
            "updated_at": {"S": now},
        });
        if status == payment::Status::RefundDue {
            item["refund_reason"] = json!({"S": "WRONG_AMOUNT"});
        }
        self.db.put(&self.tables.payments, &item);
    }

    /// The payments with their statuses and reasons.
    pub(crate) fn payments(&self) -> Vec<(String, Option<String>)> {
        let text = |item: &Value, name: &str| item[name]["S"].as_str().map(str::to_owned);
        self.items(&self.tables.payments)
            .iter()
            .map(|item| (text(item, "payment_status").unwrap(), text(item, "refund_reason")))
            .collect()
    }
}

/// What worlds that share their tables have in common.
struct Parts {
    db: Engine,
    wire: Wire,
    store: Store,
    tables: Tables,
    queues: Queues,
    bus: Bus,
    mailbox: Mailbox,
    deliveries: Deliveries,
    clock: Arc<AtomicI64>,
    template: Template,
    provider: &'static str,
    provider_url: String,
    sandbox: Router,
    carrier: Option<Carrier>,
    live: bool,
    vault: Option<Vault>,
    hold_secs: u32,
    limits: Limits,
    issuer: Option<String>,
    front_secrets: Vec<String>,
}

fn start() -> Timestamp {
    START.parse().unwrap()
}

fn told_by(clock: &Arc<AtomicI64>) -> Clock {
    let clock = Arc::clone(clock);
    Arc::new(move || Timestamp::from_timestamp_millis(clock.load(SeqCst)).unwrap())
}

/// A cold function's app.
fn app(parts: &Parts, tokens: &TokenSettings, lines: &Lines) -> App {
    let mut secrets: BTreeMap<_, ProviderSecrets> = BTreeMap::new();
    for (provider, secret) in WEBHOOK_SECRETS {
        let of = secrets.entry(provider.parse().unwrap()).or_default();
        (of.key_id, of.api_key) = ("key_public".to_owned(), "sk_test_secret".to_owned());
        of.webhook_secrets.push(secret.to_owned());
    }
    let settings = Settings {
        tables: parts.tables.clone(),
        hold_terms: HoldTerms::of_secs(parts.hold_secs),
        limits: parts.limits.clone(),
        tokens: Some(tokens.clone()),
        payments: Some(edge::payment::Settings {
            provider: parts.provider.parse().unwrap(),
            base_url: parts.provider_url.clone(),
            live: parts.live,
            secrets: match &parts.vault {
                None => SecretSource::Given(secrets),
                Some(_) => SecretSource::Managed { id: "marquee/payments".to_owned() },
            },
            carrier: parts.carrier.clone(),
        }),
        queues: queue::urls(),
        event_bus: Some(local::bus::NAME.to_owned()),
        email_from: Some("Marquee <tickets@marquee.example>".to_owned()),
        ticket_secret: Some("a secret for the tickets of a world".to_owned()),
        previous_ticket_secret: Some("the secret for its tickets before that".to_owned()),
        front_secrets: parts.front_secrets.clone(),
        allows_loopback: true,
        log_settles_after: TimeDelta::seconds(EVENT_LOG_SETTLES_AFTER_SECS),
        sweep_settles_after: TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS),
        metrics_namespace: "Marquee".to_owned(),
        log: {
            let lines = Arc::clone(lines);
            Arc::new(move |line| lines.lock().unwrap().push(line.to_owned()))
        },
    };
    let sqs = queue::client_over(parts.queues.clone());
    let secrets_manager = parts.vault.as_ref().map(Vault::client);
    let clients = Clients {
        sqs: Some(sqs),
        secrets_manager,
        event_bridge: Some(bus::client_over(parts.bus.clone())),
        email: Some(mailbox::client_over(parts.mailbox.clone())),
    };
    App::new(parts.store.clone(), clients, settings, told_by(&parts.clock))
}
