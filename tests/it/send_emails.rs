//! Letters to customers: the queue of events, and a mailbox.

use std::collections::BTreeMap;
use std::io::Cursor;

use chrono::TimeDelta;
use domain::event::{Letter as Message, Type};
use domain::id::EventId;
use local::mailbox::{Attachment, Letter};
use serde_json::{Value, json};

use crate::cinema::movie;
use crate::world::{HOLD_SECS, World};

/// How often a letter is tried, for most of a day.
const TRIES: usize = 200;

/// Tells what happened and writes about it: all letters so far.
async fn letters(world: &World) -> Vec<Letter> {
    world.publish().await;
    world.mail().await;
    world.mailbox.letters()
}

async fn only_letter(world: &World) -> Letter {
    let letters = letters(world).await;
    let [letter] = &letters[..] else { panic!("{letters:#?}") };
    letter.clone()
}

fn subjects(letters: &[Letter]) -> Vec<&str> {
    let mut subjects: Vec<&str> = letters.iter().map(|letter| letter.subject.as_str()).collect();
    subjects.sort_unstable();
    subjects
}

fn about<'a>(letters: &'a [Letter], subject: &str) -> &'a Letter {
    let letter = letters.iter().find(|letter| letter.subject == subject);
    letter.unwrap_or_else(|| panic!("no {subject} in {:?}", subjects(letters)))
}

fn attached<'a>(letter: &'a Letter, file_name: &str) -> &'a Attachment {
    letter.attachments.iter().find(|file| file.file_name == file_name).unwrap()
}

fn id(reservation: &Value) -> &str {
    reservation["reservationId"].as_str().unwrap()
}

/// The ticket of a booking, as it is signed.
async fn ticket_of(world: &World, booked: &Value) -> String {
    let booking = world.store.reservation(&id(booked).parse().unwrap()).await.unwrap();
    world.app.ticket(&booking.unwrap()).unwrap()
}

/// What a QR code in a picture says.
fn read_code(picture: &[u8]) -> String {
    let mut reader = png::Decoder::new(Cursor::new(picture)).read_info().unwrap();
    let mut grey = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut grey).unwrap();
    assert_eq!(info.color_type, png::ColorType::Grayscale);
    let side = usize::try_from(info.width).unwrap();
    assert_eq!(grey.len(), side * side);
    let pixel = |x: usize, y: usize| grey[y * side + x];
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, pixel);
    let codes = image.detect_grids();
    assert_eq!(codes.len(), 1, "there is one code");
    codes[0].decode().unwrap().1
}

/// The lines of a calendar by their names, folded ones joined (RFC 5545, section 3.1).
fn calendar(file: &Attachment) -> BTreeMap<String, String> {
    let text = String::from_utf8(file.content.clone()).unwrap();
    assert_eq!(text.replace("\r\n", "").find(['\r', '\n']), None, "every line ends in CR LF");
    for line in text.split("\r\n") {
        assert!(line.len() <= 75, "{line} has {} bytes", line.len());
    }
    let lines = text.replace("\r\n ", "");
    let lines: Vec<&str> = lines.lines().collect();
    let (first, last) = (lines.first().unwrap(), lines.last().unwrap());
    assert_eq!((*first, *last), ("BEGIN:VCALENDAR", "END:VCALENDAR"));
    let named = lines.iter().filter_map(|line| line.split_once(':'));
    named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test]
async fn a_booking_is_confirmed_by_a_letter_with_its_ticket() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1", "A2"], "t1").await;
    let letter = only_letter(&world).await;
    let line = world.last_line();
    assert_eq!((&line["function"], &line["emails_sent"]), (&json!("send-emails"), &json!(1)));
    assert!(!line.to_string().contains('@'), "nobody's address is logged: {line}");

    assert_eq!(letter.to, ["ann@example.com"]);
    assert_eq!(letter.from, "Marquee <tickets@marquee.example>");
    assert_eq!(letter.subject, "Your ticket: Inception");
    let ticket = ticket_of(&world, &booked).await;
    for said in [
        "Inception",
        "Monday, 23 November 2026, 12:00 IST",
        "Regal, Screen 1, Delhi",
        "A1, A2",
        "INR 900.00",
        id(&booked),
        &ticket,
    ] {
        assert!(letter.text.contains(said), "{said} in {}", letter.text);
        assert!(letter.html.contains(said), "{said} in {}", letter.html);
    }
    let alone = letter.text.lines().any(|line| line == ticket);
    assert!(alone, "it can be copied: {}", letter.text);
}

#[tokio::test]
async fn the_code_in_the_letter_is_the_ticket_and_lets_in() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    let letter = only_letter(&world).await;
    let picture = attached(&letter, "ticket.png");
    assert_eq!(picture.content_type, "image/png");
    assert_eq!(picture.disposition, "INLINE");
    let content_id = picture.content_id.as_deref().expect("the letter shows it");
    assert!(letter.html.contains(&format!("src=\"cid:{content_id}\"")), "{}", letter.html);
    let ticket = read_code(&picture.content);
    assert_eq!(ticket, ticket_of(&world, &booked).await);
    let scan = json!({"ticket": ticket, "gate": "Gate 1", "scanId": "s1"});
    let entered = world.admin("POST", "/api/admin/tickets/scan", scan).await.expect(200);
    assert_eq!(entered["reservationId"], booked["reservationId"]);
}

#[tokio::test]
async fn the_calendar_in_the_letter_has_the_show() {
    let world = World::new().await;
    world.put_show(&movie("long", &"é, ".repeat(60)), |_| {}).await;
    let booked = world.book("ann", &["A1", "A2"], "t1").await;
    let letter = only_letter(&world).await;
    let file = attached(&letter, "ticket.ics");
    assert_eq!((file.content_type.as_str(), &file.content_id), ("text/calendar", &None));
    assert_eq!(file.disposition, "ATTACHMENT");
    let calendar = calendar(file);
    let (title, uid) = ("é\\, ".repeat(60), format!("{}@marquee", id(&booked)));
    for (name, value) in [
        ("VERSION", "2.0"),
        ("DTSTART", "20261123T063000Z"),
        ("DTEND", "20261123T093000Z"),
        ("SUMMARY", title.as_str()),
        ("LOCATION", "Regal\\, Screen 1\\, Delhi"),
        ("UID", uid.as_str()),
    ] {
        assert_eq!(calendar.get(name).map(String::as_str), Some(value), "{name}");
    }
    let text = String::from_utf8(file.content.clone()).unwrap();
    assert!(!text.contains("VALARM") && !text.contains("METHOD"), "{text}");
}

#[tokio::test]
async fn a_title_is_text_whatever_it_is_made_of() {
    let world = World::new().await;
    let title = r#"<b>"Tom & Jerry"</b>"#;
    world.put_show(&movie("tom", title), |_| {}).await;
    world.book("ann", &["A1"], "t1").await;
    let letter = only_letter(&world).await;
    assert_eq!(letter.subject, format!("Your ticket: {title}"));
    assert!(letter.text.contains(title));
    assert!(letter.html.contains("&lt;b&gt;&quot;Tom &amp; Jerry&quot;&lt;"), "{}", letter.html);
    assert!(!letter.html.contains("<b>"), "{}", letter.html);
}

/// Goal: a queue tells twice, and a function may die before it says that it is done; the customer
/// has one letter. Method: calls whose answers nobody hears, and then the queue's own.
#[tokio::test]
async fn what_is_told_twice_is_one_letter() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    world.publish().await;
    let told = world.queues.bodies("Emails");
    assert_eq!(told.len(), 1);
    let twice = [told.clone(), told.clone()].concat();
    world.deliver_and_die("SendEmails", &twice).await;
    world.deliver_and_die("SendEmails", &told).await;
    assert_eq!(letters(&world).await.len(), 1);
    assert_eq!(world.last_line()["email_skipped"], "sent_before");
}

/// Goal: when a customer was written to stays as it was first noted, also where two functions sent the
/// letter at once; and an event that is not kept any more does not come back as a note without a body.
#[tokio::test]
async fn a_letter_is_noted_once_and_only_of_what_is_kept() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    letters(&world).await;
    let before = world.items(&world.tables.events);
    let noted = before.iter().find(|event| event["mailed_at"].is_object()).unwrap();
    let event = noted["pk"]["S"].as_str().unwrap().trim_start_matches("EVENT#");
    let later = world.now() + TimeDelta::minutes(1);
    for id in [event, "gone"] {
        world.store.mailed(&id.parse().unwrap(), later).await.unwrap();
    }
    assert_eq!(world.items(&world.tables.events), before);
}

#[tokio::test]
async fn a_letter_waits_while_ses_is_away() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    world.mailbox.fail(2);
    for _ in 0..2 {
        assert_eq!(letters(&world).await.len(), 0);
        assert_eq!(world.last_line()["status"], 503);
        world.advance(TimeDelta::minutes(10));
    }
    assert_eq!(letters(&world).await.len(), 1);
    assert_eq!(world.queues.depth("Emails"), 0);
}

#[tokio::test]
async fn a_letter_that_cannot_be_sent_is_kept_for_somebody_to_look_at() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    world.mailbox.fail(1_000);
    for _ in 0..=TRIES {
        assert_eq!(letters(&world).await.len(), 0);
        world.advance(TimeDelta::minutes(10));
    }
    assert_eq!((world.queues.depth("Emails"), world.queues.depth("EmailsFailed")), (0, 1));
}

/// As if the function looked for it in another table.
#[tokio::test]
async fn a_letter_whose_event_is_not_there_is_kept_for_somebody_to_look_at() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    world.publish().await;
    for event in world.items(&world.tables.events) {
        let key = json!({"pk": event["pk"], "sk": event["sk"]});
        world.db.delete(&world.tables.events, &key);
    }
    world.mail().await;
    assert_eq!(world.last_line()["status"], 500);
    for _ in 0..=TRIES {
        assert_eq!(letters(&world).await.len(), 0);
        world.advance(TimeDelta::minutes(10));
    }
    assert_eq!((world.queues.depth("Emails"), world.queues.depth("EmailsFailed")), (0, 1));
}

#[tokio::test]
async fn who_has_no_address_gets_no_letter() {
    let world = World::new().await;
    world.book("somebody without an address", &["A1"], "t1").await;
    assert_eq!(letters(&world).await.len(), 0);
    assert_eq!(world.last_line()["email_skipped"], "no_address");
    assert_eq!(world.queues.depth("Emails"), 0);
}

#[tokio::test]
async fn a_booking_that_is_over_when_its_letter_comes_gets_no_ticket() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    world.cancel("ann", id(&booked)).await.expect(200);
    let letter = only_letter(&world).await;
    assert_eq!(letter.subject, "Booking cancelled: Inception");
    assert_eq!(letter.attachments.len(), 0);
    let ticket = ticket_of(&world, &booked).await;
    assert!(!letter.text.contains(&ticket) && !letter.html.contains(&ticket));
}

#[tokio::test]
async fn a_cancellation_says_that_the_money_comes_back_and_then_it_does() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1", "A2"], "t1").await;
    only_letter(&world).await;
    world.cancel("ann", id(&booked)).await.expect(200);
    let two = letters(&world).await;
    let cancelled = about(&two, "Booking cancelled: Inception");
    assert!(cancelled.text.contains("Your money, INR 900.00, goes back"), "{}", cancelled.text);
    assert!(!cancelled.text.contains("theatre cancelled"), "{}", cancelled.text);
    world.refund().await;
    let three = letters(&world).await;
    assert_eq!(three.len(), 3);
    let refunded = about(&three, "Refund of INR 900.00: Inception");
    assert!(refunded.text.contains("You cancelled the booking."), "{}", refunded.text);
    assert!(!refunded.text.contains("Your booking stands"), "{}", refunded.text);
}

#[tokio::test]
async fn a_cancellation_that_comes_after_its_refund_says_that_the_money_went_back() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    world.cancel("ann", id(&booked)).await.expect(200);
    world.refund().await;
    let two = letters(&world).await;
    let cancelled = about(&two, "Booking cancelled: Inception");
    assert!(cancelled.text.contains("Your money, INR 450.00, went back"), "{}", cancelled.text);
    assert!(!cancelled.text.contains("goes back"), "{}", cancelled.text);
}

#[tokio::test]
async fn a_show_that_the_house_cancels_is_said_to_be() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    only_letter(&world).await;
    world.admin("POST", "/api/admin/shows/show-1/cancel", Value::Null).await.expect(202);
    world.sweep().await;
    world.refund().await;
    let all = letters(&world).await;
    let (cancelled, refund) =
        ("The show was cancelled: Inception", "Refund of INR 450.00: Inception");
    assert_eq!(subjects(&all), [refund, cancelled, "Your ticket: Inception"]);
    for subject in [cancelled, refund] {
        let letter = about(&all, subject);
        for said in [&letter.text, &letter.html] {
            assert!(said.contains("theatre cancelled th"), "{said}");
        }
    }
}

/// The order to cancel is given, and the sweep did not come to this booking yet.
#[tokio::test]
async fn no_ticket_is_sent_for_a_show_that_will_not_take_place() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    world.admin("POST", "/api/admin/shows/show-1/cancel", Value::Null).await.expect(202);
    assert_eq!(letters(&world).await.len(), 0);
    assert_eq!(world.last_line()["email_skipped"], "overtaken");
}

#[tokio::test]
async fn money_that_booked_nothing_is_said_to_go_back_and_why() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let payment = world.pay(&held, "succeed").await;
    world.advance(TimeDelta::seconds(HOLD_SECS));
    world.confirm("ann", "t1", &payment).await.expect(409);
    world.refund().await;
    let letter = only_letter(&world).await;
    assert_eq!(letter.subject, "Refund of INR 450.00: Inception");
    let why = "It was paid when the time to pay was over.";
    assert!(letter.text.contains(why) && letter.html.contains(why), "{}", letter.text);
}

#[tokio::test]
async fn a_second_payment_goes_back_and_the_booking_stands() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    let second = world.pay(&booked, "succeed").await;
    let refused = world.confirm("ann", "t1", &second).await;
    assert_eq!(refused.problem(409), "already_confirmed");
    world.refund().await;
    let all = letters(&world).await;
    let refund = about(&all, "Refund of INR 450.00: Inception");
    for said in [&refund.text, &refund.html] {
        assert!(said.contains("paid for by another payment. Banks"), "{said}");
        assert!(said.contains("Your booking stands"), "{said}");
    }
}

/// Goal: whatever is put on the queue, only what there is something to say about is written about.
/// Method: events that have no letter.
#[tokio::test]
async fn what_has_no_letter_is_skipped() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.cancel("ann", id(&held)).await.expect(200);
    world.publish().await;
    for (kind, why) in
        [(Type::ReservationHeld, "no_letter"), (Type::ReservationCancelled, "not_booked")]
    {
        let message = Message { event_id: EventId::of(kind, id(&held)) };
        world.deliver_and_die("SendEmails", &[json!(message).to_string()]).await;
        let line = world.last_line();
        assert_eq!((&line["email_skipped"], &line["status"]), (&json!(why), &json!(200)), "{kind}");
    }
    assert_eq!(letters(&world).await.len(), 0);
}
