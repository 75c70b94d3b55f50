//! Now and then: payments that are on their way or owed back for too long are asked for at the
//! provider and driven on.

use std::collections::HashSet;

use domain::payment::Status;
use edge::{App, Note, Problem, Run};

/// Payments of one shard that are read at once. Each read costs a query per shard, found or not.
const PER_SHARD: i32 = 10;

/// Looks after every payment whose time has come, as long as there is time. One that fails is put
/// off, and does not stand in the way of the others.
///
/// # Errors
///
/// If `DynamoDB` is away, or something failed on the way; the next run goes on.
pub async fn handle(app: App, run: Run) -> Result<(), Problem> {
    let mut failed = None;
    let mut seen = HashSet::new();
    for status in [Status::Pending, Status::RefundDue, Status::Failed] {
        loop {
            let mut due = app.store.payments_to_check(status, run.now(), PER_SHARD).await?;
            // The index may lag behind what this run did.
            due.retain(|payment| seen.insert(payment.clone()));
            if due.is_empty() {
                break;
            }
            for (provider, reference) in due {
                if !run.has_time() {
                    return failed.map_or(Ok(()), Err);
                }
                let payment = app.store.payment(&provider, &reference).await?;
                let Some(payment) = payment else { continue };
                app.note(Note::Reconciled);
                if let Err(problem) = app.reconcile(&payment, run.now()).await {
                    failed = Some(problem);
                }
            }
        }
    }
    failed.map_or(Ok(()), Err)
}
