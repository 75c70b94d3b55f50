//! A desk's own pages, under `/local`: what Marquee sent out, what waits in queues, and schedules for who
//! will not wait for the clock. In AWS one would look at consoles.
//!
//! The letters show what customers would get. They run no scripts and load nothing from elsewhere.
//! Who asks by another name than this machine's is told nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::time;
use reqwest::Url;
use serde_json::{Value, json};

use crate::bus::Bus;
use crate::mailbox::{Letter, Mailbox};
use crate::pump::SchedulePump;
use crate::queue::Queues;

/// What a browser may do with a letter: show it, and its own images.
const LETTER_POLICY: &str = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; \
                             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                             sandbox";

/// What a browser may do with an attachment that it opens.
const ATTACHMENT_POLICY: &str = "default-src 'none'; sandbox";

/// What this machine is called on itself.
const HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Schedules, by the logical ids of the functions that they call.
pub type Schedules = BTreeMap<String, Arc<SchedulePump>>;

/// What the pages show.
#[derive(Clone)]
pub struct Pages {
    /// The letters that were sent.
    pub mailbox: Mailbox,
    /// The events that were put on the bus.
    pub bus: Bus,
    /// The messages that wait.
    pub queues: Queues,
    /// What the clock calls.
    pub schedules: Schedules,
}

impl Pages {
    /// Their HTTP.
    pub fn router(self) -> Router {
        Router::new()
            .route("/local/mailbox", get(mailbox))
            .route("/local/mailbox/{id}", get(letter))
            .route("/local/mailbox/{id}/{file_name}", get(attachment))
            .route("/local/events", get(events))
            .route("/local/queues", get(queues))
            .route("/local/queues/{name}", get(queue))
            .route("/local/schedules/{function}", post(schedule))
            .route_layer(from_fn(only_here))
            .with_state(self)
    }
}

/// Answers only who asks by this machine's own name. A web page from elsewhere can have its name
/// stand for 127.0.0.1 (DNS rebinding), and could read letters.
async fn only_here(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    if host.is_some_and(|host| HOSTS.contains(&host.host())) {
        next.run(request).await
    } else {
        let why = format!("ask for it at one of {}\n", HOSTS.join(", "));
        (StatusCode::MISDIRECTED_REQUEST, why).into_response()
    }
}

/// The letters, newest first: for a browser to click on, for others as JSON.
async fn mailbox(State(pages): State<Pages>, headers: HeaderMap) -> Response {
    let mut letters = pages.mailbox.letters();
    letters.reverse();
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/html")) {
        return index(&letters).into_response();
    }
    Json(letters.iter().map(told).collect::<Vec<_>>()).into_response()
}

/// A letter as JSON.
fn told(letter: &Letter) -> Value {
    let attachments = letter.attachments.iter().map(|attachment| {
        json!({
            "fileName": attachment.file_name,
            "contentType": attachment.content_type,
            "url": url(&[&letter.id, &attachment.file_name]),
        })
    });
    json!({
        "id": letter.id,
        "at": time::text(letter.at),
        "from": letter.from,
        "to": letter.to,
        "subject": letter.subject,
        "text": letter.text,
        "attachments": attachments.collect::<Vec<_>>(),
        "url": url(&[&letter.id]),
    })
}

fn index(letters: &[Letter]) -> Html<String> {
    let line = |letter: &Letter| {
        let (at, to) = (time::text(letter.at), escaped(&letter.to.join(", ")));
        let (url, subject) = (url(&[&letter.id]), escaped(&letter.subject));
        format!("<li><a href=\"{url}\">{subject}</a><br>{at}, to {to}</li>\n")
    };
    let lines: String = letters.iter().map(line).collect();
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Mailbox</title>\
         <h1>Mailbox</h1><ul>\n{lines}</ul></html>\n"
    ))
}

async fn letter(State(pages): State<Pages>, Path(id): Path<String>) -> Response {
    let Some(mut letter) = pages.mailbox.letter(&id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // A longer name first, of which a shorter one may be the beginning.
    letter.attachments.sort_by_key(|it| it.content_id.as_ref().map(String::len));
    for attachment in letter.attachments.iter().rev() {
        if let Some(content_id) = &attachment.content_id {
            let url = url(&[&id, &attachment.file_name]);
            letter.html = letter.html.replace(&format!("cid:{content_id}"), &url);
        }
    }
    let headers = [
        (header::CONTENT_SECURITY_POLICY, LETTER_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Html(letter.html)).into_response()
}

async fn attachment(
    State(pages): State<Pages>,
    Path((id, file_name)): Path<(String, String)>,
) -> Response {
    let attachments = pages.mailbox.letter(&id).map(|letter| letter.attachments);
    let mut attachments = attachments.into_iter().flatten();
    let Some(found) = attachments.find(|attachment| attachment.file_name == file_name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let disposition = found.disposition.to_ascii_lowercase();
    let headers = [
        (header::CONTENT_TYPE, found.content_type.as_str()),
        (header::CONTENT_DISPOSITION, disposition.as_str()),
        (header::CONTENT_SECURITY_POLICY, ATTACHMENT_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, found.content).into_response()
}

/// What was put on the bus, newest last.
async fn events(State(pages): State<Pages>) -> Json<Vec<Value>> {
    Json(pages.bus.entries())
}

async fn queues(State(pages): State<Pages>) -> Json<Vec<Value>> {
    let depths = pages.queues.depths().into_iter();
    Json(depths.map(|(name, depth)| json!({"name": name, "depth": depth})).collect())
}

/// The messages of a queue, oldest first, each as what it says.
async fn queue(State(pages): State<Pages>, Path(name): Path<String>) -> Response {
    if !pages.queues.depths().contains_key(&name) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let bodies = pages.queues.bodies(&name).into_iter();
    let bodies = bodies.map(|body| serde_json::from_str(&body).unwrap_or(Value::String(body)));
    Json(bodies.collect::<Vec<_>>()).into_response()
}

/// Calls a function as the clock would, and answers when it is done.
async fn schedule(State(pages): State<Pages>, Path(function): Path<String>) -> Response {
    let Some(schedule) = pages.schedules.get(&function) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match schedule.step().await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error}\n")).into_response(),
    }
}

/// Where something of the mailbox is on this host.
fn url(path: &[&str]) -> String {
    let mut url = Url::parse("http://localhost/local/mailbox").expect("it is a URL");
    url.path_segments_mut().expect("such a URL has a path").extend(path);
    url.path().to_owned()
}

/// `text` as HTML shows it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
