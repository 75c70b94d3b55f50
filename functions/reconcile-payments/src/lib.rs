//! Now and then: payments that are on their way or owed back for too long are asked for at the
//! provider and driven on.

use std::collections::HashSet;

use domain::payment::Status;
use edge::{App, Note, Problem, Run};
use futures_util::stream::{self, StreamExt as _};

/// Payments of one shard that are read at once. Each read costs a query per shard, found or not.
const PER_SHARD: i32 = 10;

/// Payments that are looked after side by side: the provider takes its time.
const AT_ONCE: usize = 8;

/// Looks after every payment whose time has come, as long as there is time; those that are owed
/// back first. One that fails is put off, and does not stand in the way of the others.
///
/// # Errors
///
/// If `DynamoDB` is away, or something failed on the way; the next run goes on.
pub async fn handle(app: App, run: Run) -> Result<(), Problem> {
    let (app, run) = (&app, &run);
    let mut failed = None;
    let mut seen = HashSet::new();
    for status in [Status::RefundDue, Status::Pending, Status::Failed] {
        while run.has_time() {
            let mut due = app.store.payments_to_check(status, run.now(), PER_SHARD).await?;
            // The index may lag behind what this run did.
            due.retain(|payment| seen.insert(payment.clone()));
            if due.is_empty() {
                break;
            }
            let mut looks = stream::iter(due)
                .map(|(provider, reference)| async move {
                    match app.store.payment(&provider, &reference).await? {
                        Some(payment) if run.has_time() => app.reconcile(&payment, run.now()).await,
                        _gone_or_later => Ok(()),
                    }
                })
                .buffer_unordered(AT_ONCE);
            while let Some(look) = looks.next().await {
                failed = look.err().or(failed);
            }
        }
    }
    // Nobody but a person comes back to these, so they are told of until somebody does.
    let parked = app.store.payments_to_check(Status::Parked, run.now(), PER_SHARD).await?;
    app.note(Note::ParkedNow(parked.len()));
    // Also those that no run looks at for hours.
    let overdue = app.store.refunds_overdue(run.now(), PER_SHARD).await?;
    app.note(Note::RefundsOverdue(overdue));
    failed.map_or(Ok(()), Err)
}
