//! What others are told: each thing that happened once, and nothing that did not.

use std::collections::{BTreeMap, BTreeSet};

use domain::event::{Event, Subject, Type};
use domain::id::EventId;
use serde_json::Value;
use store::RecordedEvent;

use super::{Broken, broken};

/// What happened, and what was told of it.
#[derive(Default)]
pub(super) struct Told {
    happened: BTreeMap<EventId, String>,
    /// What was recorded, as it was then.
    told: BTreeMap<EventId, RecordedEvent>,
    /// What was put on the bus.
    heard: BTreeSet<EventId>,
}

impl Told {
    /// Something happened that others are to be told, if it is anything.
    pub(super) fn happened(&mut self, event: Option<Event>) -> Result<(), Broken> {
        let Some(event) = event else { return Ok(()) };
        let name = name_of(event.kind, &subject_of(&event.subject));
        match self.happened.insert(event.id, name) {
            None => Ok(()),
            Some(again) => Err(broken("ThingsHappenOnce", format!("{again} happened again"))),
        }
    }

    /// An event was recorded, or what was noted of it changed.
    pub(super) fn changed(
        &mut self,
        old: Option<&RecordedEvent>,
        new: Option<&RecordedEvent>,
        by_ttl: bool,
    ) -> Result<(), Broken> {
        let Some(new) = new else {
            let detail = format!("{old:?} is gone");
            return if by_ttl { Ok(()) } else { Err(broken("EventsStay", detail)) };
        };
        if let Some(old) = old {
            let is_mailed = old.mailed_at.is_none() && new.mailed_at.is_some();
            let as_before = RecordedEvent { mailed_at: old.mailed_at, ..new.clone() };
            let is_kept = as_before == *old && (is_mailed || new.mailed_at == old.mailed_at);
            let detail = || format!("it was {old:?} and is {new:?}");
            return if is_kept { Ok(()) } else { Err(broken("EventsStay", detail())) };
        }
        if !self.happened.contains_key(&new.id) {
            let detail = format!("{new:?} never happened");
            return Err(broken("OnlyWhatHappenedIsTold", detail));
        }
        if !is_of_its_subject(new) {
            return Err(broken("EventsSayWhatHappened", format!("{new:?}")));
        }
        match self.told.insert(new.id.clone(), new.clone()) {
            None => Ok(()),
            Some(_) => Err(broken("EventsAreRecordedOnce", format!("{new:?} was there before"))),
        }
    }

    /// Something was put on the bus, perhaps not for the first time. It was recorded before, and it is
    /// what was recorded: by a second try, too.
    pub(super) fn put_on_bus(&mut self, kind: &str, detail: &Value) -> Result<(), Broken> {
        let id: Option<EventId> = detail["id"].as_str().and_then(|id| id.parse().ok());
        let Some(event) = id.as_ref().and_then(|id| self.told.get(id)) else {
            return Err(broken("OnlyWhatIsRecordedIsTold", format!("{kind}: {detail}")));
        };
        let recorded = serde_json::from_str::<Value>(&event.body);
        let is_the_same = recorded.is_ok_and(|recorded| recorded == *detail);
        if !is_the_same || kind != event.kind.as_str() {
            let detail = format!("{kind}: {detail}, of {event:?}");
            return Err(broken("AllAreToldTheSame", detail));
        }
        self.heard.insert(event.id.clone());
        Ok(())
    }

    /// Whether all that happened was recorded, and put on the bus.
    pub(super) fn at_rest(&self) -> Result<(), Broken> {
        let (told, heard) = (&self.told, &self.heard);
        let untold = self.happened.iter().find_map(|(id, name)| {
            match (told.contains_key(id), heard.contains(id)) {
                (true, true) => None,
                (true, false) => Some(format!("{name} is recorded, and on no bus")),
                (false, _) => Some(format!("not {name}")),
            }
        });
        untold.map_or(Ok(()), |detail| Err(broken("WhatHappenedIsTold", detail)))
    }
}

fn name_of(kind: Type, subject: &str) -> String {
    format!("{kind} of {subject}")
}

/// What an event is of, as its id has it.
fn subject_of(subject: &Subject) -> String {
    match subject {
        Subject::Reservation(of) => of.id.to_string(),
        Subject::Payment(of) => format!("{}#{}", of.provider, of.reference),
    }
}

/// Whether an event says of itself what its id says, and of one subject.
fn is_of_its_subject(event: &RecordedEvent) -> bool {
    let Ok(body) = serde_json::from_str::<Value>(&event.body) else { return false };
    let text = |name: &str| body["data"][name].as_str().unwrap_or_default().to_owned();
    let subject = match event.kind {
        Type::PaymentRefunded => format!("{}#{}", text("provider"), text("paymentReference")),
        Type::ReservationHeld
        | Type::ReservationConfirmed
        | Type::ReservationCancelled
        | Type::ReservationExpired
        | Type::ReservationFailed => text("reservationId"),
    };
    body["id"] == event.id.as_str()
        && body["type"] == event.kind.as_str()
        && EventId::of(event.kind, &subject) == event.id
}
