//! Letters to customers: that they are booked, with their ticket; that a booking is no more; that
//! money went back.
//!
//! An event says that there is something to write about. How things stand is read when the letter
//! is sent, so one that comes late says nothing that is no longer so.

use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{
    Attachment, AttachmentContentDisposition, AttachmentContentTransferEncoding, Body, Content,
    Destination, EmailContent, Message, builders::MessageBuilder,
};
use domain::email::EmailAddress;
use domain::event::{Letter, Type};
use domain::id::ReservationId;
use domain::money::Money;
use domain::payment::{self, RefundReason};
use domain::reservation::{Reservation, Status};
use domain::show::Show;
use domain::time::Timestamp;
use store::{Fault, RecordedEvent};

use self::letter::{Cause, Draft, Enclosure, News, Subject};
use crate::App;
use crate::log::Note;
use crate::problem::Problem;

mod calendar;
mod letter;
mod qr;
mod wording;

/// Why nobody is written to, as the log has it.
type Skipped = &'static str;

/// Of what others are told, as much as a letter needs.
#[derive(serde::Deserialize)]
struct Told {
    data: Data,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    reservation_id: Option<ReservationId>,
    amount: Money,
    reason: Option<RefundReason>,
}

impl App {
    /// Writes to the customer about an event, unless that was done, or there is nothing to say or
    /// nobody to say it to.
    ///
    /// Safe to repeat. A letter is sent again if this function dies between sending it and noting
    /// that, or runs twice at once: SES cannot be asked whether it was sent. Costs 3 reads, one
    /// more for a cancellation, one transaction of one item, and a call of SES; the cities are
    /// remembered.
    ///
    /// # Errors
    ///
    /// [`Problem::EmailAway`], also if SES will never take the letter; or a fault, also if there is
    /// no such event. The message comes again, and in the end is kept for somebody to look at.
    pub async fn mail(&self, letter: &Letter, now: Timestamp) -> Result<(), Problem> {
        let Some((client, from)) = self.email() else { return self.skip("no_sender") };
        let draft = match self.draft(letter, now).await? {
            Ok(draft) => draft,
            Err(why) => return self.skip(why),
        };
        let (to, message) = message(draft);
        let sent = client
            .send_email()
            .from_email_address(from)
            .destination(Destination::builder().to_addresses(to.as_str()).build())
            .content(EmailContent::builder().simple(message).build())
            .send()
            .await;
        sent.map_err(|error| Problem::EmailAway(error.into()))?;
        self.note(Note::EmailSent);
        Ok(self.store.mailed(&letter.event_id, now).await?)
    }

    fn skip(&self, why: Skipped) -> Result<(), Problem> {
        self.note(Note::EmailSkipped(why));
        Ok(())
    }

    /// What is to be sent, or why nothing is.
    async fn draft(
        &self,
        letter: &Letter,
        now: Timestamp,
    ) -> Result<Result<Draft, Skipped>, Problem> {
        // Events are kept for longer than messages, so this is no question of time.
        let gone = || Fault::Corrupt(format!("event {} is gone", letter.event_id));
        let event = self.store.event(&letter.event_id).await?.ok_or_else(gone)?;
        if event.mailed_at.is_some() {
            return Ok(Err("sent_before"));
        }
        self.note(Note::Event(event.kind.as_str()));
        let corrupt = |error| Fault::Corrupt(format!("event {}: {error}", event.id));
        let Told { data } = serde_json::from_str(&event.body).map_err(corrupt)?;
        let reservation = match &data.reservation_id {
            Some(id) => self.store.reservation(id).await?,
            None => None,
        };
        let Some(reservation) = reservation else { return Ok(Err("no_reservation")) };
        self.note(Note::Reservation(&reservation.id));
        let Some(to) = reservation.email.clone() else { return Ok(Err("no_address")) };
        let show = self.show(&reservation.show_id, now).await?;
        let news = match self.news(&event, data, &reservation, &show).await? {
            Ok(news) => news,
            Err(why) => return Ok(Err(why)),
        };
        let cities = self.cities(now).await?;
        let city = cities.iter().find(|city| city.id == show.city_id);
        let missing = || Fault::Corrupt(format!("show {} is in no city", show.id));
        let city = city.ok_or_else(missing)?;
        let subject = Subject { reservation: &reservation, show: &show, city };
        Ok(Ok(letter::write(to, &news, &subject)?))
    }

    /// What there is to say, or why there is nothing.
    async fn news(
        &self,
        event: &RecordedEvent,
        data: Data,
        reservation: &Reservation,
        show: &Show,
    ) -> Result<Result<News, Skipped>, Problem> {
        Ok(match event.kind {
            Type::ReservationConfirmed
                if reservation.status != Status::Confirmed || show.takes_place().is_err() =>
            {
                Err("overtaken")
            }
            Type::ReservationConfirmed => Ok(News::Booked { ticket: self.ticket(reservation)? }),
            Type::ReservationCancelled if reservation.confirmed_at.is_none() => Err("not_booked"),
            Type::ReservationCancelled => {
                let payment = match &reservation.payment {
                    Some(shown) => self.store.payment(&shown.provider, &shown.reference).await?,
                    None => None,
                };
                let payment = payment.as_ref();
                let reason = payment.and_then(|payment| payment.refund_reason);
                let status = payment.map(|payment| payment.status);
                Ok(News::Cancelled {
                    cause: match reason {
                        Some(RefundReason::ShowCancelled) => Cause::ShowCancelled,
                        Some(RefundReason::SeatsBlocked) => Cause::SeatsNeeded,
                        _theirs => Cause::Customer,
                    },
                    paid: payment.map(|payment| payment.money),
                    is_back: status == Some(payment::Status::Refunded),
                })
            }
            Type::PaymentRefunded => Ok(News::Refunded { money: data.amount, reason: data.reason }),
            Type::ReservationHeld | Type::ReservationExpired | Type::ReservationFailed => {
                Err("no_letter")
            }
        })
    }
}

/// A letter as SES takes it, and to whom.
fn message(draft: Draft) -> (EmailAddress, Message) {
    let content = |text: String| {
        let content = Content::builder().charset("UTF-8").data(text);
        content.build().expect("it has data")
    };
    let body = Body::builder().text(content(draft.text)).html(content(draft.html)).build();
    let message = Message::builder().subject(content(draft.subject)).body(body);
    let enclosures = draft.enclosures.into_iter().map(attachment);
    (draft.to, enclosures.fold(message, MessageBuilder::attachments).build())
}

fn attachment(file: Enclosure) -> Attachment {
    let disposition = match file.content_id {
        Some(_shown_in_the_letter) => AttachmentContentDisposition::Inline,
        None => AttachmentContentDisposition::Attachment,
    };
    Attachment::builder()
        .file_name(file.file_name)
        .content_type(file.content_type)
        .content_disposition(disposition)
        .set_content_id(file.content_id.map(str::to_owned))
        // Unless it is told, SES takes what is enclosed for plain ASCII.
        .content_transfer_encoding(AttachmentContentTransferEncoding::Base64)
        .raw_content(Blob::new(file.content))
        .build()
        .expect("it has a name and content")
}
