//! Events on their way to subscribers: what is posted, what signs it, and what becomes of what
//! nobody takes. The subscriber is real, on a port of its own.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::TimeDelta;
use domain::event::Delivery;
use domain::id::EventId;
use domain::subscription::pause_ms_max;
use hmac::{Hmac, KeyInit as _, Mac as _};
use local::queue;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::create_subscription::{SUBSCRIPTIONS, subscribe};
use crate::wire::Fault;
use crate::world::World;

/// A subscriber: keeps what it is sent, and answers what it is told to.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    inbox: Arc<Mutex<Inbox>>,
}

struct Inbox {
    posts: Vec<Post>,
    answer: StatusCode,
    /// The next post gets no answer at all.
    hangs: bool,
}

/// What came.
#[derive(Debug, Clone)]
struct Post {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: String,
}

impl Receiver {
    /// Takes everything that it is sent.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/hook?key=1", listener.local_addr().unwrap());
        let inbox = Inbox { posts: Vec::new(), answer: StatusCode::NO_CONTENT, hangs: false };
        let receiver = Self { url, inbox: Arc::new(Mutex::new(inbox)) };
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        receiver
    }

    /// What it answers from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.inbox().answer = status.try_into().unwrap();
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap()
    }

    fn posts(&self) -> Vec<Post> {
        self.inbox().posts.clone()
    }

    /// How often it was called.
    pub(crate) fn count(&self) -> usize {
        self.inbox().posts.len()
    }

    fn last(&self) -> Post {
        self.posts().pop().expect("something came")
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, [(HeaderName, &'static str); 1]) {
    let hangs = {
        let mut inbox = receiver.inbox();
        inbox.posts.push(Post { method, path: uri.to_string(), headers, body });
        std::mem::take(&mut inbox.hangs)
    };
    if hangs {
        // From here on time flies whenever nothing else happens.
        tokio::time::pause();
        std::future::pending::<()>().await;
    }
    (receiver.inbox().answer, [(header::LOCATION, "/elsewhere")])
}

impl Post {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// What signs it by this secret, as the specification says and nobody else told.
    fn signed_by(&self, secret: &Value) -> String {
        let key = secret.as_str().unwrap().strip_prefix("whsec_").unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&BASE64.decode(key).unwrap()).unwrap();
        let (id, time) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        mac.update(format!("{id}.{time}.{}", self.body).as_bytes());
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

/// Ann holds a seat, and whoever wants to know is about to be told.
pub(crate) async fn happen(world: &World) {
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.publish().await;
}

/// The one delivery that waits, if there is one.
pub(crate) fn waiting(world: &World) -> Option<Delivery> {
    let bodies = world.queues.bodies("EventDeliveries");
    assert!(bodies.len() <= 1, "{bodies:#?}");
    bodies.first().map(|body| serde_json::from_str(body).unwrap())
}

/// Lets the delivery that waits come to its time. Its pause is drawn, and may be none: so it may be
/// tried more than once, and `attempt` says how often.
async fn retry(world: &World) -> Delivery {
    let due = waiting(world).expect("something waits").not_before;
    world.set_now(world.now().max(due) + TimeDelta::seconds(1));
    world.deliver().await;
    waiting(world).expect("it waits again")
}

/// Queues a delivery that begins now.
pub(crate) async fn put(world: &World, delivery: &Delivery) {
    let now = world.now();
    let delivery = Delivery { attempt: 0, first_at: now, not_before: now, ..delivery.clone() };
    put_as_it_is(world, &delivery).await;
}

async fn put_as_it_is(world: &World, delivery: &Delivery) {
    let message = queue::client_over(world.queues.clone()).send_message();
    let message = message.queue_url(queue::url_of("EventDeliveries"));
    message.message_body(json!(delivery).to_string()).send().await.unwrap();
}

/// An attempt whose pause is drawn from 12 hours, and so is none once in 43 million times.
const LATE: u32 = 6;

/// The only subscription, as an admin sees it.
pub(crate) async fn shown(world: &World) -> Value {
    let list = world.admin("GET", SUBSCRIPTIONS, Value::Null).await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    list["items"][0].clone()
}

async fn act(world: &World, subscription: &Value, action: &str) -> Value {
    let id = subscription["subscriptionId"].as_str().unwrap();
    world.admin("POST", &format!("{SUBSCRIPTIONS}/{id}/{action}"), Value::Null).await.expect(200)
}

#[tokio::test]
async fn an_event_is_posted_as_it_was_recorded_and_signed() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let subscription = subscribe(&world, &receiver.url, &[]).await;
    happen(&world).await;
    world.deliver().await;

    assert_eq!(receiver.count(), 1);
    let post = receiver.last();
    assert_eq!((&post.method, post.path.as_str()), (&Method::POST, "/hook?key=1"));
    assert_eq!(post.header("content-type"), "application/json");
    assert_eq!(post.header("user-agent"), "Marquee/1");
    assert_eq!(post.header("webhook-timestamp"), world.now().timestamp().to_string());
    assert_eq!(post.header("webhook-signature"), post.signed_by(&subscription["secret"]));
    let body: Value = serde_json::from_str(&post.body).unwrap();
    assert_eq!((&body["type"], &body["version"]), (&json!("reservation.held"), &json!(1)));
    let id: EventId = post.header("webhook-id").parse().unwrap();
    assert_eq!(body["id"], id.as_str());
    assert_eq!(post.body, world.store.event(&id).await.unwrap().unwrap().body, "to the byte");

    assert_eq!(waiting(&world), None);
    let line = world.last_line();
    assert_eq!(
        (&line["events_delivered"], &line["event"]),
        (&json!(1), &json!("reservation.held"))
    );
    assert!(!line.to_string().contains("whsec_"), "{line}");
}

/// A subscriber may be called by name; the name is looked up when the event is posted.
#[tokio::test]
async fn a_name_is_looked_up() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver.url.replace("127.0.0.1", "localhost"), &[]).await;
    happen(&world).await;
    world.deliver().await;
    assert_eq!(receiver.count(), 1);
    assert!(receiver.last().header("host").starts_with("localhost:"));
}

#[tokio::test]
async fn a_subscriber_is_told_of_what_it_wants() {
    let world = World::new().await;
    let (all, some) = (Receiver::start().await, Receiver::start().await);
    subscribe(&world, &all.url, &[]).await;
    subscribe(&world, &some.url, &["reservation.confirmed", "payment.refunded"]).await;
    world.book("ann", &["A1"], "t1").await;
    world.publish().await;
    world.deliver().await;
    let kinds = |receiver: &Receiver| {
        let mut kinds: Vec<String> = Vec::new();
        for post in receiver.posts() {
            let body: Value = serde_json::from_str(&post.body).unwrap();
            kinds.push(body["type"].as_str().unwrap().to_owned());
        }
        kinds.sort();
        kinds
    };
    assert_eq!(kinds(&all), ["reservation.confirmed", "reservation.held"]);
    assert_eq!(kinds(&some), ["reservation.confirmed"]);
}

/// Goal: a subscriber can change its secret without missing an event. Method: the same event again,
/// on both sides of the day that the old secret has left.
#[tokio::test]
async fn while_one_secret_replaces_another_both_sign() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let subscription = subscribe(&world, &receiver.url, &[]).await;
    happen(&world).await;
    let delivery = waiting(&world).unwrap();
    let rotated = act(&world, &subscription, "rotate").await;
    let (old, new) = (&subscription["secret"], &rotated["secret"]);
    assert_ne!(old, new);
    let day = TimeDelta::days(1);
    for (after, old_signs) in
        [(TimeDelta::zero(), true), (day - TimeDelta::seconds(1), true), (day, false)]
    {
        world.set_now(delivery.first_at + after);
        put(&world, &delivery).await;
        world.deliver().await;
        let post = receiver.last();
        let by = |secret| post.signed_by(secret);
        let expected = if old_signs { format!("{} {}", by(new), by(old)) } else { by(new) };
        assert_eq!(post.header("webhook-signature"), expected, "{after}");
        let time: i64 = post.header("webhook-timestamp").parse().unwrap();
        assert_eq!(time, world.now().timestamp());
    }
}

/// Goal: nothing is lost while a subscriber is away. Method: it fails for a while and then takes
/// the event, which it can tell from others by its id all the time.
#[tokio::test]
async fn what_is_not_taken_comes_again_under_the_same_id() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let subscription = subscribe(&world, &receiver.url, &[]).await;
    happen(&world).await;
    receiver.answer(500);
    world.deliver().await;
    let first = waiting(&world).unwrap();
    for status in [500, 400, 404, 429, 503] {
        receiver.answer(status);
        let before = waiting(&world).unwrap();
        let after = retry(&world).await;
        assert!(after.attempt > before.attempt, "{status}");
        assert_eq!(receiver.count(), usize::try_from(after.attempt).unwrap());
        let pause = (after.not_before - world.now()).num_milliseconds();
        assert!(pause.unsigned_abs() <= pause_ms_max(after.attempt - 1), "{after:?}");
        assert_eq!(after.first_at, first.first_at);
        assert_eq!(world.last_line()["delivery_failures"], 1);
    }
    let failing = shown(&world).await;
    assert_eq!(failing["failingSince"], domain::time::text(first.first_at));
    assert_eq!(failing["status"], "ACTIVE");

    receiver.answer(200);
    let due = waiting(&world).unwrap().not_before;
    world.set_now(world.now().max(due) + TimeDelta::seconds(1));
    world.deliver().await;
    assert_eq!(waiting(&world), None);
    assert_eq!(shown(&world).await["failingSince"], Value::Null, "it is well again");
    let posts = receiver.posts();
    for post in &posts {
        assert_eq!(post.header("webhook-id"), posts[0].header("webhook-id"));
        assert_eq!(post.body, posts[0].body);
        assert_eq!(post.header("webhook-signature"), post.signed_by(&subscription["secret"]));
    }
    let times = posts.iter().map(|post| post.header("webhook-timestamp"));
    assert!(times.is_sorted(), "each is signed when it is sent");
}

/// Goal: a subscriber who comes back is not met by all that it missed at once. Method: five events
/// that it does not take at the same time.
#[tokio::test]
async fn each_pause_is_drawn_anew() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver.url, &[]).await;
    happen(&world).await;
    let delivery = Delivery { attempt: LATE, ..waiting(&world).unwrap() };
    world.deliver().await;
    receiver.answer(500);
    for _ in 0..5 {
        put_as_it_is(&world, &delivery).await;
    }
    world.deliver().await;
    let bodies = world.queues.bodies("EventDeliveries");
    assert_eq!((bodies.len(), receiver.count()), (5, 6));
    let next = |body: &String| serde_json::from_str::<Delivery>(body).unwrap().not_before;
    let times: BTreeSet<_> = bodies.iter().map(next).collect();
    assert!(times.len() > 1, "{times:?}");
}

/// Goal: a queue keeps a message back for a quarter of an hour, and pauses are longer. Method: an
/// event that is due in 40 minutes comes by every 15, and is not posted before.
#[tokio::test]
async fn a_long_pause_is_several_rounds_through_the_queue() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver.url, &[]).await;
    happen(&world).await;
    let mut delivery = waiting(&world).unwrap();
    delivery.not_before = world.now() + TimeDelta::minutes(40);
    delivery.attempt = 3;
    world.deliver().await;
    assert_eq!(receiver.count(), 1);

    put_as_it_is(&world, &delivery).await;
    world.deliver().await;
    for (seconds, count) in [(15 * 60, 1), (15 * 60, 1), (10 * 60 - 1, 1), (1, 2)] {
        assert_eq!(waiting(&world).as_ref(), Some(&delivery), "it waits as it was");
        assert_eq!(world.pump_of("DeliverEvents").step().await.unwrap(), 0, "and is not seen");
        world.advance(TimeDelta::seconds(seconds));
        world.deliver().await;
        assert_eq!(receiver.count(), count, "at {}", world.now());
    }
    assert_eq!(waiting(&world), None);
}

/// Goal: nobody is called for ever. Method: a subscriber fails for five days; then nothing reaches
/// it until an admin enables it again.
#[tokio::test]
async fn a_subscriber_that_fails_for_five_days_is_disabled_until_it_is_enabled() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let subscription = subscribe(&world, &receiver.url, &[]).await;
    receiver.answer(500);
    happen(&world).await;
    let first = waiting(&world).unwrap();
    world.deliver().await;
    while let Some(next) = waiting(&world) {
        assert_eq!(shown(&world).await["status"], "ACTIVE");
        world.set_now(world.now().max(next.not_before) + TimeDelta::seconds(1));
        world.deliver().await;
    }
    let took = world.now() - first.first_at;
    assert!(took >= TimeDelta::days(5), "{took}");
    assert!(took <= TimeDelta::days(5) + TimeDelta::hours(13), "{took}");
    assert!(receiver.count() >= 10, "{}", receiver.count());
    assert_eq!(world.last_line()["subscriptions_disabled"], 1);
    let disabled = shown(&world).await;
    assert_eq!(disabled["status"], "DISABLED");
    assert_eq!(disabled["failingSince"], domain::time::text(first.first_at));
    assert_eq!(disabled["disabledAt"], domain::time::text(world.now()));

    let count = receiver.count();
    receiver.answer(200);
    put(&world, &first).await;
    world.deliver().await;
    assert_eq!((receiver.count(), waiting(&world)), (count, None), "it is sent nothing");

    let enabled = act(&world, &subscription, "enable").await;
    assert_eq!(enabled["status"], "ACTIVE");
    assert_eq!((&enabled["failingSince"], &enabled["disabledAt"]), (&Value::Null, &Value::Null));
    put(&world, &first).await;
    world.deliver().await;
    assert_eq!((receiver.count(), waiting(&world)), (count + 1, None));
}

#[tokio::test]
async fn a_subscriber_that_is_gone_is_disabled_at_once() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver.url, &[]).await;
    receiver.answer(410);
    happen(&world).await;
    world.deliver().await;
    assert_eq!((receiver.count(), waiting(&world)), (1, None));
    assert_eq!(world.last_line()["subscriptions_disabled"], 1);
    let disabled = shown(&world).await;
    assert_eq!(disabled["status"], "DISABLED");
    assert_eq!(disabled["disabledAt"], domain::time::text(world.now()));
}

/// Goal: nobody is led elsewhere, where no guard stands. Method: every redirect that there is.
#[tokio::test]
async fn redirects_are_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let world = World::new().await;
        let receiver = Receiver::start().await;
        subscribe(&world, &receiver.url, &[]).await;
        receiver.answer(status);
        happen(&world).await;
        world.deliver().await;
        assert!(waiting(&world).unwrap().attempt > 0, "{status} is a failure");
        assert!(receiver.count() > 0);
        assert!(receiver.posts().iter().all(|post| post.path == "/hook?key=1"), "{status}");
    }
}

#[tokio::test]
async fn whoever_left_is_sent_nothing() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let subscription = subscribe(&world, &receiver.url, &[]).await;
    happen(&world).await;
    let id = subscription["subscriptionId"].as_str().unwrap();
    let path = format!("{SUBSCRIPTIONS}/{id}");
    world.admin("DELETE", &path, Value::Null).await.expect(204);
    world.deliver().await;
    assert_eq!((receiver.count(), waiting(&world)), (0, None));
    assert_eq!(world.queues.depth("EventDeliveriesFailed"), 0);
}

/// Goal: what is registered is looked at again, since an address is never looked up and rules may
/// change. Method: a subscription that could not be made today, of somebody who is there.
#[tokio::test]
async fn what_was_let_in_before_is_not_called_if_it_is_refused_today() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver.url, &[]).await;
    happen(&world).await;
    let delivery = waiting(&world).unwrap();
    world.deliver().await;
    assert_eq!(receiver.count(), 1);

    let mut old = world.store.subscriptions().await.unwrap().remove(0);
    old.id = "old".parse().unwrap();
    old.url = receiver.url.replace("//", "//ann@");
    world.store.put_subscription(&old).await.unwrap();
    put(&world, &Delivery { subscription_id: old.id.clone(), ..delivery }).await;
    world.deliver().await;
    assert_eq!(receiver.count(), 1);
    assert!(waiting(&world).unwrap().attempt > 0);
    let old = world.store.subscription(&old.id).await.unwrap().unwrap();
    assert_eq!(old.failing_since, Some(world.now()));
}

/// Goal: a subscriber that never answers costs ten seconds. Method: time stands still from the
/// moment when the event has arrived, but for what waits for it to pass.
#[tokio::test]
async fn a_subscriber_that_does_not_answer_or_is_not_there_fails() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let subscription = subscribe(&world, "http://127.0.0.1:9/", &[]).await;
    happen(&world).await;
    let delivery = waiting(&world).unwrap();
    world.deliver().await;
    assert!(waiting(&world).unwrap().attempt > 0, "nobody is there");
    let id = subscription["subscriptionId"].as_str().unwrap();
    world.admin("DELETE", &format!("{SUBSCRIPTIONS}/{id}"), Value::Null).await.expect(204);
    world.advance(TimeDelta::minutes(15));
    world.deliver().await;
    assert_eq!(waiting(&world), None);

    let slow = subscribe(&world, &receiver.url, &[]).await;
    receiver.inbox().hangs = true;
    receiver.answer(500);
    let subscription_id = slow["subscriptionId"].as_str().unwrap().parse().unwrap();
    put(&world, &Delivery { subscription_id, ..delivery }).await;
    let began = tokio::time::Instant::now();
    world.deliver().await;
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(10) && took < Duration::from_secs(20), "{took:?}");
    assert!(waiting(&world).unwrap().attempt > 0, "no answer is a failure");
}

/// Goal: only faults of ours fail the message. Method: an event that is not recorded, and a queue
/// that is away when there is something to put on it.
#[tokio::test]
async fn a_fault_of_ours_brings_the_message_back() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver.url, &[]).await;
    happen(&world).await;
    let delivery = waiting(&world).unwrap();
    let failures = async |delivery: &Delivery| {
        let body = json!(delivery).to_string();
        world.tell_of("DeliverEvents", &[json!({"messageId": "m1", "body": body})]).await
    };
    let unknown = Delivery { event_id: "unknown".parse().unwrap(), ..delivery.clone() };
    assert_eq!(failures(&unknown).await, 1);
    assert_eq!((receiver.count(), &world.last_line()["code"]), (0, &json!("internal")));

    receiver.answer(500);
    world.queues.remove("EventDeliveries");
    assert_eq!(failures(&delivery).await, 1);
    assert_eq!((receiver.count(), &world.last_line()["code"]), (1, &json!("try_again")));
    receiver.answer(200);
    assert_eq!(failures(&delivery).await, 0, "and then it is taken");
    assert_eq!(receiver.count(), 2);
}

/// Goal: whoever took an event is not sent it again because we could not write that down, nor one
/// that did not before its pause is over. Method: a table that takes nothing right after the post.
#[tokio::test]
async fn what_could_not_be_noted_is_no_reason_to_post_again() {
    for (fault, times) in
        [(Fault::TransactionConflict, 6), (Fault::Throttle, 3), (Fault::AccessDenied, 1)]
    {
        let world = World::new().await;
        let receiver = Receiver::start().await;
        subscribe(&world, &receiver.url, &[]).await;
        happen(&world).await;
        let mut next = Delivery { attempt: LATE, ..waiting(&world).unwrap() };
        world.deliver().await;
        put_as_it_is(&world, &next).await;
        for (status, is_noted, count, fails) in
            [(500, false, 2, false), (500, true, 3, true), (204, false, 4, true)]
        {
            receiver.answer(status);
            world.set_now(next.not_before + TimeDelta::seconds(1));
            world.wire.inject("TransactWriteItems", fault, if is_noted { 0 } else { times });
            world.deliver().await;
            assert_eq!((receiver.count(), world.wire.faults_left()), (count, 0), "{fault:?}");
            assert_eq!(shown(&world).await["failingSince"].is_string(), fails, "{fault:?}");
            next = waiting(&world).unwrap_or(next);
        }
        assert_eq!(waiting(&world), None, "{fault:?}");
        put(&world, &next).await;
        world.deliver().await;
        assert_eq!(shown(&world).await["failingSince"], Value::Null, "noted the next time");
        assert_eq!(world.queues.depth("EventDeliveriesFailed"), 0);
    }
}
