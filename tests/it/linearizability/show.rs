//! The show as it would be if one request came after the other: what each of them is answered. It knows
//! nothing of tables, transactions or versions. What it says is what is promised.

use domain::payment;
use domain::reservation::Status;
use stateright::semantics::SequentialSpec;

/// How many seats a history is about.
pub(super) const SEATS: usize = 3;

/// What can be asked. Reservations and payments have numbers here; a payment is for one reservation,
/// which need not be there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// `POST /api/reservations/hold`, by the user and the token of this reservation.
    Hold { reservation: usize, seats: Vec<usize> },
    /// `POST /api/reservations/confirm`.
    Confirm { payment: usize },
    /// `POST /api/reservations/cancel`.
    Cancel { reservation: usize },
    /// `GET /api/reservations/{reservationId}`.
    Look { reservation: usize },
    /// The queue delivers that this payment's money came.
    Hear { payment: usize },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// The reservation, as it is then: with this status, and this payment shown as that.
    Reservation { http: u16, status: Status, shown: Option<(usize, payment::Status)> },
    /// 200, and it is CANCELLED. Of a hold that is given up the answer shows the payment as it was when
    /// the hold was read, and which payment a hold shows may change in between: that is no promise, and
    /// so it is not compared.
    Cancelled,
    /// 409 `seats_unavailable`: each seat that refused, and whether it is booked.
    Taken(Vec<(usize, bool)>),
    /// Another problem, by its status and code.
    Problem(u16, String),
    /// The queue's message is done with.
    Heard,
}

pub(super) fn problem(http: u16, code: &str) -> Reply {
    Reply::Problem(http, code.to_owned())
}

/// Who has a seat. A hold that is over has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    Free,
    Held(usize),
    Booked(usize),
}

#[derive(Debug, Clone)]
struct Reservation {
    seats: Vec<usize>,
    /// PENDING, CONFIRMED, CANCELLED or FAILED: nobody writes down here that a hold is over.
    status: Status,
    is_over: bool,
    shown: Option<(usize, payment::Status)>,
}

/// What its payer does about a payment, at the provider, before the history begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Succeeds,
    Fails,
    StaysPending,
}

/// What became of a payment here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    /// Nobody brought it yet.
    Unknown,
    /// It is awaited, came to nothing, or is set aside: its money can still be booked.
    Noted(payment::Status),
    Booked,
    /// Its money goes back, and everybody who brings it is told this.
    OwedBack(&'static str),
}

#[derive(Debug, Clone, Copy)]
struct Payment {
    of: usize,
    outcome: Outcome,
    became: Became,
}

/// A show of [`SEATS`] seats.
#[derive(Debug, Clone)]
pub(super) struct Show {
    claims: [Claim; SEATS],
    reservations: Vec<Option<Reservation>>,
    payments: Vec<Payment>,
}

impl Show {
    /// With so many reservations that may be made, and these payments for them.
    pub(super) fn new(reservations: usize, payments: &[(usize, Outcome)]) -> Self {
        let payment = |(of, outcome)| Payment { of, outcome, became: Became::Unknown };
        Self {
            claims: [Claim::Free; SEATS],
            reservations: vec![None; reservations],
            payments: payments.iter().copied().map(payment).collect(),
        }
    }

    /// All holds come to their end.
    pub(super) fn end_holds(&mut self) {
        for claim in &mut self.claims {
            if matches!(claim, Claim::Held(_)) {
                *claim = Claim::Free;
            }
        }
        for reservation in self.reservations.iter_mut().flatten() {
            reservation.is_over |= reservation.status == Status::Pending;
        }
    }

    fn hold(&mut self, number: usize, seats: &[usize]) -> Reply {
        if let Some(first) = &self.reservations[number] {
            return match first.status {
                _any if first.seats != seats => problem(422, "hold_token_reused"),
                Status::Pending if first.is_over => problem(409, "hold_expired"),
                Status::Pending | Status::Confirmed => self.show(201, number),
                Status::Cancelled => problem(409, "already_cancelled"),
                Status::Expired | Status::Failed => problem(409, "hold_expired"),
            };
        }
        let taken = seats.iter().filter_map(|seat| match self.claims[*seat] {
            Claim::Free => None,
            Claim::Held(_) => Some((*seat, false)),
            Claim::Booked(_) => Some((*seat, true)),
        });
        let taken: Vec<(usize, bool)> = taken.collect();
        if !taken.is_empty() {
            return Reply::Taken(taken);
        }
        for seat in seats {
            self.claims[*seat] = Claim::Held(number);
        }
        let (status, seats) = (Status::Pending, seats.to_vec());
        self.reservations[number] =
            Some(Reservation { seats, status, is_over: false, shown: None });
        self.show(201, number)
    }

    fn show(&self, http: u16, number: usize) -> Reply {
        let Some(Reservation { status, is_over, shown, .. }) = self.reservations[number] else {
            return problem(404, "not_found");
        };
        use payment::Status::{Failed, RefundDue};
        let came_to_nothing =
            shown.is_some_and(|(_, status)| [Failed, RefundDue].contains(&status));
        let status = match status {
            Status::Pending if is_over && came_to_nothing => Status::Failed,
            Status::Pending if is_over => Status::Expired,
            status => status,
        };
        Reply::Reservation { http, status, shown }
    }

    /// Why money cannot be booked any more; a customer's comes too late after the end, the provider's
    /// may still find all seats free.
    fn obstacle(&self, number: usize, is_by_customer: bool) -> Option<&'static str> {
        let reservation = self.reservations[number].as_ref()?;
        match reservation.status {
            Status::Confirmed => Some("already_confirmed"),
            Status::Cancelled => Some("already_cancelled"),
            Status::Pending if !reservation.is_over => None,
            Status::Pending | Status::Expired | Status::Failed => {
                is_by_customer.then_some("hold_expired")
            }
        }
    }

    fn confirm(&mut self, number: usize) -> Reply {
        let Payment { of, outcome, became } = self.payments[number];
        if self.reservations[of].is_none() {
            return problem(404, "not_found");
        }
        if became == Became::Booked && self.is_confirmed(of) {
            return self.show(200, of);
        }
        match (outcome, self.obstacle(of, true)) {
            (Outcome::Succeeds, obstacle) => match self.take_money(number, obstacle) {
                Ok(()) => self.show(200, of),
                Err(code) => problem(409, code),
            },
            (Outcome::Fails, obstacle) => {
                self.note_failure(number, obstacle.is_none());
                match obstacle {
                    None => problem(402, "payment_failed"),
                    Some(code) => problem(409, code),
                }
            }
            (Outcome::StaysPending, obstacle) => {
                self.payments[number].became = Became::Noted(payment::Status::Pending);
                match obstacle {
                    None => {
                        self.set_shown(of, (number, payment::Status::Pending));
                        self.show(202, of)
                    }
                    Some(code) => problem(409, code),
                }
            }
        }
    }

    fn is_confirmed(&self, number: usize) -> bool {
        let reservation = self.reservations[number].as_ref();
        reservation.is_some_and(|of| of.status == Status::Confirmed)
    }

    fn set_shown(&mut self, number: usize, shown: (usize, payment::Status)) {
        if let Some(reservation) = &mut self.reservations[number] {
            reservation.shown = Some(shown);
        }
    }

    fn shows(&self, reservation: usize, payment: usize) -> bool {
        let shown = self.reservations[reservation].as_ref().and_then(|of| of.shown);
        shown.is_some_and(|(shown, _)| shown == payment)
    }

    /// Books with money that came, or owes it back and says why.
    fn take_money(
        &mut self,
        number: usize,
        obstacle: Option<&'static str>,
    ) -> Result<(), &'static str> {
        let Payment { of, became, .. } = self.payments[number];
        if let Became::OwedBack(code) = became {
            return Err(code);
        }
        let Some(reservation) = self.reservations[of].clone() else { return Err("not_found") };
        let is_anothers = |seat: &usize| match self.claims[*seat] {
            Claim::Free => false,
            Claim::Held(by) | Claim::Booked(by) => by != of,
        };
        let lost = reservation.seats.iter().any(is_anothers).then_some("hold_expired");
        if let Some(code) = obstacle.or(lost) {
            self.payments[number].became = Became::OwedBack(code);
            let can_fail = matches!(reservation.status, Status::Pending | Status::Failed);
            if can_fail || self.shows(of, number) {
                self.set_shown(of, (number, payment::Status::RefundDue));
            }
            if let Some(reservation) = self.reservations[of].as_mut().filter(|_| can_fail) {
                reservation.status = Status::Failed;
            }
            return Err(code);
        }
        for seat in &reservation.seats {
            self.claims[*seat] = Claim::Booked(of);
        }
        self.payments[number].became = Became::Booked;
        self.set_shown(of, (number, payment::Status::Success));
        if let Some(reservation) = &mut self.reservations[of] {
            reservation.status = Status::Confirmed;
        }
        Ok(())
    }

    /// A failure is written down once; it is shown if its money was awaited.
    fn note_failure(&mut self, number: usize, is_awaited: bool) {
        let Payment { of, became, .. } = self.payments[number];
        let failed = payment::Status::Failed;
        if became == Became::Noted(failed) {
            return;
        }
        self.payments[number].became = Became::Noted(failed);
        if is_awaited || self.shows(of, number) {
            self.set_shown(of, (number, failed));
        }
    }

    fn hear(&mut self, number: usize) -> Reply {
        let Payment { of, became, .. } = self.payments[number];
        if self.reservations[of].is_none() {
            self.payments[number].became = Became::Noted(payment::Status::Parked);
        } else if became != Became::Booked {
            let obstacle = self.obstacle(of, false);
            let _booked_or_owed = self.take_money(number, obstacle);
        }
        Reply::Heard
    }

    fn cancel(&mut self, number: usize) -> Reply {
        let Some(reservation) = &mut self.reservations[number] else {
            return problem(404, "not_found");
        };
        match reservation.status {
            Status::Cancelled => return Reply::Cancelled,
            Status::Pending if reservation.is_over => return problem(409, "hold_expired"),
            Status::Expired | Status::Failed => return problem(409, "hold_expired"),
            Status::Pending => {}
            Status::Confirmed => {
                if let Some((payment, shown)) = &mut reservation.shown {
                    *shown = payment::Status::RefundDue;
                    self.payments[*payment].became = Became::OwedBack("already_cancelled");
                }
            }
        }
        reservation.status = Status::Cancelled;
        for claim in &mut self.claims {
            if [Claim::Held(number), Claim::Booked(number)].contains(claim) {
                *claim = Claim::Free;
            }
        }
        Reply::Cancelled
    }
}

impl SequentialSpec for Show {
    type Op = Request;
    type Ret = Reply;

    fn invoke(&mut self, request: &Request) -> Reply {
        match request {
            Request::Hold { reservation, seats } => self.hold(*reservation, seats),
            Request::Confirm { payment } => self.confirm(*payment),
            Request::Cancel { reservation } => self.cancel(*reservation),
            Request::Look { reservation } => self.show(200, *reservation),
            Request::Hear { payment } => self.hear(*payment),
        }
    }
}
