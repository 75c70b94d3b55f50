//! The audit of a show, and its sales.

use domain::audit::{Audit, Finding, Invariant, Sales, TypeSales};
use domain::id::ShowId;
use domain::limits::AUDIT_FINDINGS_MAX;
use domain::money::Currency;
use domain::time::{Timestamp, text};
use serde::Serialize;

use super::MoneyView;

/// What an audit of a show came to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditView<'a> {
    show_id: &'a str,
    audited_at: String,
    checked: CheckedView,
    is_sound: bool,
    findings: Vec<FindingView<'a>>,
}

#[derive(Serialize)]
struct CheckedView {
    seats: usize,
    reservations: usize,
    payments: usize,
}

#[derive(Serialize)]
struct FindingView<'a> {
    invariant: Invariant,
    subject: &'a str,
    detail: &'a str,
}

/// An audit as it looks: with the first [`AUDIT_FINDINGS_MAX`] of what it found.
#[must_use]
pub fn audit(audit: &Audit) -> AuditView<'_> {
    let findings = audit.findings.iter().take(AUDIT_FINDINGS_MAX).map(|finding| {
        let Finding { invariant, subject, detail } = finding;
        FindingView { invariant: *invariant, subject, detail }
    });
    AuditView {
        show_id: audit.show_id.as_str(),
        audited_at: text(audit.audited_at),
        checked: CheckedView {
            seats: audit.claims,
            reservations: audit.reservations,
            payments: audit.payments,
        },
        is_sound: audit.findings.is_empty(),
        findings: findings.collect(),
    }
}

/// What was sold of a show.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SalesView<'a> {
    show_id: &'a str,
    as_of: String,
    seats: Vec<TypeSalesView<'a>>,
    revenue: MoneyView,
    refunds: RefundsView,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TypeSalesView<'a> {
    seat_type: &'a str,
    total: u64,
    available: u64,
    held: u64,
    booked: u64,
    blocked: u64,
    revenue: MoneyView,
}

#[derive(Serialize)]
struct RefundsView {
    due: MoneyView,
    done: MoneyView,
}

/// What was sold of a show as of `now`, as it looks.
#[must_use]
pub fn sales<'a>(show: &'a ShowId, sales: &'a Sales, now: Timestamp) -> SalesView<'a> {
    let of_type = |of: &'a TypeSales| TypeSalesView {
        seat_type: of.seat_type.as_str(),
        total: of.total,
        available: of.available,
        held: of.held,
        booked: of.booked,
        blocked: of.blocked,
        revenue: sum(of.revenue_minor, sales.currency),
    };
    SalesView {
        show_id: show.as_str(),
        as_of: text(now),
        seats: sales.by_type.iter().map(of_type).collect(),
        revenue: sum(sales.revenue_minor, sales.currency),
        refunds: RefundsView {
            due: sum(sales.refund_due_minor, sales.currency),
            done: sum(sales.refunded_minor, sales.currency),
        },
    }
}

/// Money of a whole show, which may be more than any one payment may be.
fn sum(minor: u64, currency: Currency) -> MoneyView {
    MoneyView { amount: minor, currency: currency.into() }
}
