//! What calls functions, other than requests, and who hears of what went wrong there.

use std::collections::{BTreeMap, BTreeSet};

use domain::limits::REFUND_CHECK_AFTER_SECS;
use local::template::{Source, Template};
use serde_json::json;

use super::{resources, template};

/// Goal: a message is not seen twice while it is being worked off, and one that fails is not lost.
#[test]
fn a_queue_waits_for_its_function_and_keeps_what_failed() {
    let document = template();
    let template = Template::read().unwrap();
    let queues: BTreeMap<_, _> = template.queues().unwrap().into_iter().collect();
    let retention = |id: &str| {
        document["Resources"][id]["Properties"]["MessageRetentionPeriod"].as_u64().unwrap()
    };
    let mut tries = BTreeMap::new();
    for (function, source) in template.sources().unwrap() {
        let Source::Queue(source) = source else { continue };
        let queue = source.queue;
        assert!(source.reports_failures, "{function}");
        let visible_again = i64::from(queues[&queue].visibility_timeout_secs);
        let timeout = template.timeout(&function).unwrap().num_seconds();
        assert!(visible_again >= 6 * timeout, "AWS asks for six times: {queue}");
        let redrive = queues[&queue].redrive.as_ref().unwrap();
        assert_eq!(redrive.dead_letter_queue, format!("{queue}Failed"));
        assert!(retention(&redrive.dead_letter_queue) >= retention(&queue), "{queue}");
        tries.insert(queue, redrive.receives_max);
    }
    let expected = [
        ("PaymentEvents", 5),
        ("ShowCancellations", 100),
        ("EventDeliveries", 100),
        ("Emails", 200),
    ];
    let expected = expected.map(|(queue, tries)| (queue.to_owned(), tries));
    assert_eq!(tries, BTreeMap::from(expected));
}

/// Goal: who calls strangers, or SES, never takes the account's functions from those that sell.
#[test]
fn what_calls_others_is_bounded() {
    let document = template();
    for (function, most) in [("DeliverEvents", 20), ("SendEmails", 2), ("SweepCancelledShows", 2)] {
        let queue = &document["Resources"][function]["Properties"]["Events"]["Queue"];
        let scaling = &queue["Properties"]["ScalingConfig"]["MaximumConcurrency"];
        assert_eq!(scaling, &json!(most), "{function}");
    }
}

/// Goal: no record is lost while something is away; where one stands that expired is kept.
#[test]
fn a_stream_goes_on_trying_and_keeps_where_a_record_stands() {
    let mut kept = BTreeSet::new();
    for (function, source) in Template::read().unwrap().sources().unwrap() {
        let Source::Stream(source) = source else { continue };
        assert!(source.reports_failures && source.bisects, "{function}");
        kept.insert((function, source.table, source.on_failure.unwrap()));
    }
    let expected = [
        ("CountAvailableSeats", "Seats", "RecordsFailed"),
        ("PublishEvents", "Payments", "RecordsFailed"),
        ("PublishEvents", "Reservations", "RecordsFailed"),
        ("RefundPayments", "Payments", "RefundsFailed"),
        ("ReleaseExpiredHolds", "Seats", "RecordsFailed"),
    ];
    let owned = |(function, table, queue): (&str, &str, &str)| {
        (function.to_owned(), table.to_owned(), queue.to_owned())
    };
    assert_eq!(kept, BTreeSet::from(expected.map(owned)));
}

/// Goal: what nobody else would find again is tried for as long as its stream has it; a refund the schedule
/// finds, from when it looks for it.
#[test]
fn only_refunds_grow_too_old_for_their_stream() {
    let document = template();
    let mut limits = BTreeSet::new();
    for (function, resource) in resources(&document, "AWS::Serverless::Function") {
        for event in resource["Properties"]["Events"].as_object().unwrap().values() {
            if event["Type"] == "DynamoDB" {
                let limit = |name: &str| event["Properties"][name].as_i64();
                let retries = limit("MaximumRetryAttempts").unwrap_or_else(|| panic!("{function}"));
                let age =
                    limit("MaximumRecordAgeInSeconds").unwrap_or_else(|| panic!("{function}"));
                limits.insert((function, retries, age));
            }
        }
    }
    let expected = [
        // Without a limit.
        ("CountAvailableSeats", -1, -1),
        ("PublishEvents", -1, -1),
        ("RefundPayments", 5, REFUND_CHECK_AFTER_SECS),
        ("ReleaseExpiredHolds", -1, -1),
    ];
    assert_eq!(limits, BTreeSet::from(expected));
}

/// Goal: a function's work is over when whoever called it stops waiting, or calls again. What queues call is
/// looked at above.
#[test]
fn a_function_ends_before_its_caller_gives_up() {
    let document = template();
    let template = Template::read().unwrap();
    for route in template.routes() {
        let timeout = template.timeout(&route.function).unwrap().num_seconds();
        // API Gateway waits for 30 (AWS, "Quotas for HTTP APIs"), and must still send the answer.
        assert!(timeout <= 29, "{}: {timeout} s", route.function);
    }
    let mut schedules = 0;
    for (function, source) in template.sources().unwrap() {
        let Source::Schedule { every } = source else { continue };
        let every = i64::try_from(every.as_secs()).unwrap();
        assert!(template.timeout(&function).unwrap().num_seconds() < every, "{function}");
        let calls = &document["Resources"][&function]["Properties"]["EventInvokeConfig"];
        assert_eq!(calls["MaximumRetryAttempts"], 0, "{function}: the next run is the next try");
        assert!(calls["MaximumEventAgeInSeconds"].as_i64().unwrap() <= every, "{function}");
        schedules += 1;
    }
    assert_eq!(schedules, 1);
}
