//! SES on a desk: letters stay in a mailbox in process, behind the real SDK (version 2 of the API).
//!
//! Answers `SendEmail` with simple content and refuses the rest, unknown parameters too, so that
//! nothing is dropped in silence. What SES asks of addresses and texts is asked here as well.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::time::Timestamp;
use edge::Clock;
use serde::Deserialize;
use serde_json::json;

use crate::service::{http_over, refusal, response};

/// Whom a desk's letters are from.
pub const FROM: &str = "Marquee <tickets@marquee.local>";

/// The address of it: what the template takes.
pub const ADDRESS: &str = "tickets@marquee.local";

/// Letters that are kept, so that a desk that runs for days does not grow.
const LETTERS_MAX: usize = 2_000;

/// Addresses that SES takes at once.
const ADDRESSES_MAX: usize = 50;

/// Characters of a file's name that it takes.
const FILE_NAME_CHARS_MAX: usize = 255;

/// Characters of a content id that it takes.
const CONTENT_ID_CHARS_MAX: usize = 78;

/// A mailbox for everybody, and a connector to it. Clones share their letters.
#[derive(Clone)]
pub struct Mailbox {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    letters: VecDeque<Letter>,
    sent: u64,
    failures: usize,
}

/// A letter that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What SES calls it: a word that can stand in a path.
    pub id: String,
    /// When it was sent.
    pub at: Timestamp,
    /// Whom it is from.
    pub from: String,
    /// Whom it is to.
    pub to: Vec<String>,
    /// What it is about.
    pub subject: String,
    /// What it says, as plain text.
    pub text: String,
    /// What it says, as HTML.
    pub html: String,
    /// What comes with it.
    pub attachments: Vec<Attachment>,
}

/// What comes with a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// What it is called.
    pub file_name: String,
    /// What it is.
    pub content_type: String,
    /// Whether it is shown in the letter, `INLINE`, or beside it, `ATTACHMENT`.
    pub disposition: String,
    /// What the HTML calls it, after `cid:`.
    pub content_id: Option<String>,
    /// Its bytes.
    pub content: Vec<u8>,
}

impl Mailbox {
    /// A mailbox without letters.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Arc::default() }
    }

    /// The last 2,000 letters, oldest first.
    #[must_use]
    pub fn letters(&self) -> Vec<Letter> {
        self.state().letters.iter().cloned().collect()
    }

    /// The letter of this id, if it is kept.
    #[must_use]
    pub fn letter(&self, id: &str) -> Option<Letter> {
        self.state().letters.iter().find(|letter| letter.id == id).cloned()
    }

    /// The next `times` calls are answered 500, and nothing is sent. A client of [`client_over`]
    /// calls once, so each of its sends meets one of them.
    pub fn fail(&self, times: usize) {
        self.state().failures = times;
    }

    /// Answers a request.
    #[must_use]
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let now = (self.clock)();
        let mut state = self.state();
        if state.failures > 0 {
            state.failures -= 1;
            return refusal(500, "InternalServiceErrorException", "it was asked to fail");
        }
        if request.method() != "POST" || !request.uri().ends_with("/v2/email/outbound-emails") {
            let what = format!("no {} {} on this desk", request.method(), request.uri());
            return refusal(404, "NotFoundException", what);
        }
        let id = format!("letter-{}", state.sent + 1);
        match letter(request.body().bytes().unwrap_or_default(), &id, now) {
            Ok(letter) => {
                state.sent += 1;
                state.letters.push_back(letter);
                if state.letters.len() > LETTERS_MAX {
                    state.letters.pop_front();
                }
                response(200, &json!({"MessageId": id}))
            }
            Err(why) => refusal(400, "BadRequestException", why),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics who holds the lock")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SendEmail {
    from_email_address: String,
    destination: Destination,
    content: EmailContent,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Destination {
    to_addresses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct EmailContent {
    simple: Message,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Message {
    subject: Text,
    body: Body,
    #[serde(default)]
    attachments: Vec<RawAttachment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Body {
    text: Text,
    html: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Text {
    data: String,
    charset: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RawAttachment {
    raw_content: String,
    content_disposition: Option<String>,
    file_name: String,
    content_id: Option<String>,
    content_transfer_encoding: Option<String>,
    content_type: String,
}

/// The letter that a call sends.
fn letter(body: &[u8], id: &str, now: Timestamp) -> Result<Letter, String> {
    let sent: SendEmail = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let (to, message) = (sent.destination.to_addresses, sent.content.simple);
    if !(1..=ADDRESSES_MAX).contains(&to.len()) {
        return Err(format!("a letter goes to 1 to {ADDRESSES_MAX} addresses, not {}", to.len()));
    }
    for address in to.iter().chain([&sent.from_email_address]) {
        // Other characters would have to be encoded, and SES leaves that to us.
        if !address.contains('@') || !address.is_ascii() {
            return Err(format!("`{address}` is no address"));
        }
    }
    for address in &to {
        if address.rsplit_once('@').is_none_or(|(_name, domain)| !domain.contains('.')) {
            return Err(format!("the domain of `{address}` has no dot"));
        }
    }
    let attachments = message.attachments.into_iter().map(attachment);
    Ok(Letter {
        id: id.to_owned(),
        at: now,
        from: sent.from_email_address,
        to,
        subject: text(message.subject)?,
        text: text(message.body.text)?,
        html: text(message.body.html)?,
        attachments: attachments.collect::<Result<_, _>>()?,
    })
}

/// A text in its character set, which is ASCII if it is not said.
fn text(text: Text) -> Result<String, String> {
    match text.charset.as_deref() {
        Some("UTF-8") => Ok(text.data),
        None if text.data.is_ascii() => Ok(text.data),
        other => Err(format!("`{}` is not in the character set {other:?}", text.data)),
    }
}

fn attachment(raw: RawAttachment) -> Result<Attachment, String> {
    let content = BASE64.decode(&raw.raw_content).map_err(|error| error.to_string())?;
    let disposition = raw.content_disposition.unwrap_or_else(|| "ATTACHMENT".to_owned());
    let is_encodable = match raw.content_transfer_encoding.as_deref() {
        Some("BASE64") => true,
        // What is not said to be anything is taken for plain ASCII.
        None | Some("SEVEN_BIT" | "QUOTED_PRINTABLE") => content.is_ascii(),
        Some(_unknown) => false,
    };
    let fits = |text: &str, chars_max| (1..=chars_max).contains(&text.chars().count());
    let content_id_fits =
        raw.content_id.as_deref().is_none_or(|content_id| fits(content_id, CONTENT_ID_CHARS_MAX));
    if !is_encodable
        || !content_id_fits
        || !fits(&raw.file_name, FILE_NAME_CHARS_MAX)
        || !["ATTACHMENT", "INLINE"].contains(&disposition.as_str())
    {
        return Err(format!("`{}` cannot be attached as it is", raw.file_name));
    }
    Ok(Attachment {
        content,
        disposition,
        file_name: raw.file_name,
        content_type: raw.content_type,
        content_id: raw.content_id,
    })
}

/// A client whose letters come to `mailbox`. It calls once: there is no way here on which a call
/// gets lost.
#[must_use]
pub fn client_over(mailbox: Mailbox) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "a desk"))
        .retry_config(RetryConfig::disabled())
        .http_client(http_over(move |request| mailbox.answer(request)));
    Client::from_conf(config.build())
}
