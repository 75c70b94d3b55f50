//! What happens by itself in a world, when the test says so: queues, streams and the schedule call
//! their functions.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use edge::{App, Clock};
use local::dynamodb;
use local::pump::{QueuePump, SchedulePump, StreamPump, Target};
use local::queue;
use local::template::{Source, StreamSource, Template};
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};

use crate::world::World;

/// What reads the tables' streams: for each function one for each stream that it is behind. They
/// begin where the streams begin, whenever they are first asked.
#[derive(Default)]
pub(crate) struct Streams(OnceCell<BTreeMap<String, Vec<Mutex<StreamPump>>>>);

/// A function that no request calls.
fn target(template: &Template, id: &str, app: &App, clock: Clock) -> Target {
    let function = local::functions::by_id(id, app).unwrap();
    Target::new(template, id, function, clock).unwrap()
}

impl World {
    fn target(&self, function: &str) -> Target {
        target(self.template(), function, &self.app, self.clock())
    }

    fn source(&self, function: &str) -> Source {
        let sources = self.template().sources().unwrap();
        sources.into_iter().find(|(of, _)| of == function).unwrap().1
    }

    /// What reads the streams that a function is behind.
    async fn streams_of(&self, function: &str) -> &[Mutex<StreamPump>] {
        &self.streams.0.get_or_init(|| self.stream_pumps()).await[function]
    }

    async fn stream_pumps(&self) -> BTreeMap<String, Vec<Mutex<StreamPump>>> {
        let mut pumps: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (function, source) in self.template().sources().unwrap() {
            let Source::Stream(source) = source else { continue };
            let table = self.db.table(&source.table);
            let pump = self.stream_pump(&function, source, self.db.whole(), &table).await;
            pumps.entry(function).or_default().push(Mutex::new(pump));
        }
        pumps
    }

    /// A pump to a function, from the stream of a table of this engine.
    pub(crate) async fn stream_pump(
        &self,
        function: &str,
        source: StreamSource,
        engine: dynamodb::Engine,
        table: &str,
    ) -> StreamPump {
        let sqs = queue::client_over(self.queues.clone());
        let pump = StreamPump::new(self.target(function), source, engine, table, sqs);
        pump.await.unwrap()
    }

    /// A pump from the queue that a function is behind.
    pub(crate) fn pump_of(&self, function: &str) -> QueuePump {
        let Source::Queue(source) = self.source(function) else { panic!("it is behind a queue") };
        QueuePump::new(self.target(function), source, queue::client_over(self.queues.clone()))
    }

    /// Works off what is on a function's queue and can be seen there.
    async fn work_off(&self, function: &str) {
        let pump = self.pump_of(function);
        while pump.step().await.unwrap() > 0 {}
    }

    /// Puts a message on the queue of payment events.
    pub(crate) async fn enqueue(&self, body: &str) {
        let message = queue::client_over(self.queues.clone()).send_message();
        let message = message.queue_url(queue::url_of("PaymentEvents")).message_body(body);
        message.send().await.unwrap();
    }

    /// Calls a function with these messages of the queue, whose answer nobody hears.
    pub(crate) async fn deliver_and_die(&self, function: &str, bodies: &[String]) {
        let record = |(number, body)| json!({"messageId": format!("m{number}"), "body": body});
        let records: Vec<Value> = bodies.iter().enumerate().map(record).collect();
        self.target(function).invoke(json!({"Records": records})).await.unwrap();
    }

    /// Calls a function that has no time left but for one step with a message.
    pub(crate) async fn call_without_time(&self, function: &str, body: &str) {
        let record = json!({"messageId": "m", "body": body});
        let mut context = lambda_http::Context::default();
        // Enough to begin with, and the wire takes the rest.
        let left = TimeDelta::seconds(21);
        context.deadline = (self.now() + left).timestamp_millis().unsigned_abs();
        let called = local::functions::by_id(function, &self.app).unwrap();
        let event = lambda_http::LambdaEvent::new(json!({"Records": [record]}), context);
        self.takes(400);
        called(event).await.unwrap();
        self.takes(0);
    }

    /// Settles what is on the queue and can be seen there.
    pub(crate) async fn process(&self) {
        self.work_off("ProcessPaymentEvents").await;
    }

    /// Sweeps cancelled shows, as far as the queue shows what there is to do.
    pub(crate) async fn sweep(&self) {
        self.work_off("SweepCancelledShows").await;
    }

    /// Tells subscribers what waits for them and can be seen.
    pub(crate) async fn deliver(&self) {
        self.work_off("DeliverEvents").await;
    }

    /// Writes the letters that wait and can be seen.
    pub(crate) async fn mail(&self) {
        self.work_off("SendEmails").await;
    }

    /// Calls a function with what its streams tell, until there is nothing new; a batch that fails is
    /// tried again later.
    async fn read_on(&self, function: &str) {
        for pump in self.streams_of(function).await {
            let mut pump = pump.lock().await;
            while pump.step().await.unwrap() > 0 {}
        }
    }

    /// Refunds what is owed back.
    pub(crate) async fn refund(&self) {
        self.read_on("RefundPayments").await;
    }

    /// Writes down which holds have ended.
    pub(crate) async fn release(&self) {
        self.read_on("ReleaseExpiredHolds").await;
    }

    /// Counts which seats are left.
    pub(crate) async fn count(&self) {
        self.read_on("CountAvailableSeats").await;
    }

    /// Tells others what happened.
    pub(crate) async fn publish(&self) {
        self.read_on("PublishEvents").await;
    }

    /// Tries one batch of each stream of a function. Says how many of their records are done with.
    pub(crate) async fn read_once(&self, function: &str) -> usize {
        let mut done = 0;
        for pump in self.streams_of(function).await {
            done += pump.lock().await.step().await.unwrap();
        }
        done
    }

    /// Tries one batch of the stream of refunds.
    pub(crate) async fn refund_once(&self) -> usize {
        self.read_once("RefundPayments").await
    }

    /// Calls a function behind a stream with these records, whatever they are. Says how many batch
    /// item failures it tells of.
    pub(crate) async fn tell_of(&self, function: &str, records: &[Value]) -> usize {
        let answer = self.target(function).invoke(json!({"Records": records})).await.unwrap();
        answer["batchItemFailures"].as_array().unwrap().len()
    }

    /// Calls the function that refunds with these records.
    pub(crate) async fn deliver_changes(&self, records: &[Value]) {
        assert_eq!(self.tell_of("RefundPayments", records).await, 0);
    }

    /// The records that a function was not called with, taken.
    pub(crate) async fn take_records(&self, function: &str) -> Vec<Value> {
        let mut records = Vec::new();
        for pump in self.streams_of(function).await {
            records.extend(pump.lock().await.take().await.unwrap());
        }
        records
    }

    /// The records of the stream that ask for refunds and were not acted upon.
    pub(crate) async fn take_refunds(&self) -> Vec<Value> {
        self.take_records("RefundPayments").await
    }

    /// Runs the schedule once.
    pub(crate) async fn reconcile(&self) -> Result<(), String> {
        let function = "ReconcilePayments";
        let Source::Schedule { every } = self.source(function) else { panic!("it is a schedule") };
        let pump = SchedulePump::new(self.target(function), every);
        pump.step().await.map_err(|error| error.to_string())
    }

    /// Everything that happens by itself around payments, until nothing does: the provider tells what
    /// it has to, events are settled, what is owed is sent back.
    pub(crate) async fn rest(&self) {
        loop {
            self.process().await;
            self.refund().await;
            let told = self.take_deliveries();
            if told.is_empty() {
                break;
            }
            for delivery in &told {
                self.tell(delivery).await.expect(200);
            }
        }
    }
}
