//! Transactions: a step and the reading of its refusal, added together.
//!
//! `DynamoDB` reports refusals by position. Kept apart, the steps and the code that reads them
//! drift; here each step brings the function that says what its refusal means.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnConsumedCapacity,
    ReturnValuesOnConditionCheckFailure::AllOld, TransactWriteItem, Update,
};
use domain::limits::TRANSACTION_STEPS_MAX;

use crate::item::{Item, item};
use crate::{Fault, Store};

/// Tries of a transaction that meets others on its items, the first one included.
const ATTEMPTS_MAX: u32 = 6;

/// The longest pause before the second try; it doubles with each further one. With
/// [`ATTEMPTS_MAX`], a caller waits 0.3 s on average before it is told to come back.
const PAUSE_MS: u64 = 20;

/// There is no such item.
pub(crate) const IF_ABSENT: &str = "attribute_not_exists(pk)";

/// There is such an item.
pub(crate) const IF_THERE: &str = "attribute_exists(pk)";

type Explain<'a, R> = Box<dyn Fn(Option<&Item>) -> Result<R, Fault> + Send + Sync + 'a>;

/// A condition, with the values that it and an update beside it name.
#[derive(Clone)]
pub(crate) struct If {
    condition: &'static str,
    values: Item,
}

impl If {
    pub(crate) fn new<const N: usize>(
        condition: &'static str,
        values: [(&'static str, AttributeValue); N],
    ) -> Self {
        Self { condition, values: item(values) }
    }

    pub(crate) fn with<const N: usize>(
        mut self,
        more: [(&'static str, AttributeValue); N],
    ) -> Self {
        self.values.extend(item(more));
        self
    }

    /// The same values under another condition.
    pub(crate) fn only(self, condition: &'static str) -> Self {
        Self { condition, ..self }
    }

    /// The two parts as the SDK takes them, which refuses empty ones.
    fn parts(self) -> (Option<String>, Option<Item>) {
        let condition = Some(self.condition.to_owned()).filter(|text| !text.is_empty());
        (condition, Some(self.values).filter(|values| !values.is_empty()))
    }
}

/// A transaction in the making. `R` is what a refused step means to the use case.
pub(crate) struct Txn<'a, R> {
    store: &'a Store,
    steps: Vec<(TransactWriteItem, Explain<'a, R>)>,
    /// The step on an item that only the caller touches, if there is one.
    own: Option<usize>,
}

/// Why a transaction wrote nothing.
#[derive(Debug)]
pub(crate) enum Aborted<R> {
    /// Conditions refused: what each of them means, in the order of the steps.
    Refused(Vec<R>),
    /// No answer.
    Fault(Fault),
}

impl<'a, R> Txn<'a, R> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self { store, steps: Vec::new(), own: None }
    }

    /// Puts `new` in place if the condition holds for what is there.
    pub(crate) fn put(
        self,
        table: &str,
        new: Item,
        only: If,
        explain: impl Fn(Option<&Item>) -> Result<R, Fault> + Send + Sync + 'a,
    ) -> Self {
        let (condition, values) = only.parts();
        let put = Put::builder()
            .table_name(table)
            .set_item(Some(new))
            .set_condition_expression(condition)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(AllOld);
        let put = put.build().expect("table and item are set");
        self.step(TransactWriteItem::builder().put(put).build(), explain)
    }

    /// Changes the item at `key`, or makes it, if the condition holds for what is there.
    pub(crate) fn update(
        self,
        table: &str,
        key: Item,
        set: &'static str,
        only: If,
        explain: impl Fn(Option<&Item>) -> Result<R, Fault> + Send + Sync + 'a,
    ) -> Self {
        let (condition, values) = only.parts();
        let update = Update::builder()
            .table_name(table)
            .set_key(Some(key))
            .update_expression(set)
            .set_condition_expression(condition)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(AllOld);
        let update = update.build().expect("table, key and expression are set");
        self.step(TransactWriteItem::builder().update(update).build(), explain)
    }

    /// Deletes the item at `key` if the condition holds for what is there.
    pub(crate) fn delete(
        self,
        table: &str,
        key: Item,
        only: If,
        explain: impl Fn(Option<&Item>) -> Result<R, Fault> + Send + Sync + 'a,
    ) -> Self {
        let (condition, values) = only.parts();
        let delete = Delete::builder()
            .table_name(table)
            .set_key(Some(key))
            .set_condition_expression(condition)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(AllOld);
        let delete = delete.build().expect("table and key are set");
        self.step(TransactWriteItem::builder().delete(delete).build(), explain)
    }

    /// Writes nothing at `key`; the condition must hold for what is there.
    pub(crate) fn check(
        self,
        table: &str,
        key: Item,
        only: If,
        explain: impl Fn(Option<&Item>) -> Result<R, Fault> + Send + Sync + 'a,
    ) -> Self {
        let (condition, values) = only.parts();
        let check = ConditionCheck::builder()
            .table_name(table)
            .set_key(Some(key))
            .set_condition_expression(condition)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(AllOld);
        let check = check.build().expect("table and key are set, and a check has a condition");
        self.step(TransactWriteItem::builder().condition_check(check).build(), explain)
    }

    /// Says that the next step is on an item that only the caller's own requests touch: if it is what
    /// others are on every time, the answer is [`Fault::Outrun`].
    pub(crate) fn on_their_own(self) -> Self {
        Self { own: Some(self.steps.len()), ..self }
    }

    pub(crate) fn store(&self) -> &'a Store {
        self.store
    }

    fn step(
        mut self,
        step: TransactWriteItem,
        explain: impl Fn(Option<&Item>) -> Result<R, Fault> + Send + Sync + 'a,
    ) -> Self {
        self.steps.push((step, Box::new(explain)));
        self
    }

    /// Commits all steps or none.
    ///
    /// The SDK sends an idempotency token of its own, so an answer lost on the wire is asked for
    /// again and not applied twice. Across calls that token is no help (it lasts ten minutes, and a
    /// later `now` is another payload): there the conditions are.
    ///
    /// The SDK does not retry a cancelled transaction, so one that met another, or throttling, on
    /// some item is retried here, after a pause with full jitter (AWS Architecture Blog,
    /// "Exponential Backoff And Jitter"). It wrote nothing and says nothing about its items.
    pub(crate) async fn commit(self) -> Result<(), Aborted<R>> {
        debug_assert!(self.steps.len() <= TRANSACTION_STEPS_MAX, "limits.rs bounds every use case");
        let mut pause_ms = PAUSE_MS;
        let mut outcome = self.attempt().await;
        for _ in 1..ATTEMPTS_MAX {
            if !matches!(outcome, Err(Aborted::Fault(Fault::Contended | Fault::Outrun))) {
                break;
            }
            self.store.meter.conflicted();
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=pause_ms))).await;
            pause_ms *= 2;
            outcome = self.attempt().await;
        }
        if matches!(outcome, Err(Aborted::Fault(_))) {
            self.store.meter.lock_failed();
        }
        outcome
    }

    async fn attempt(&self) -> Result<(), Aborted<R>> {
        let items = self.steps.iter().map(|(step, _)| step.clone()).collect();
        self.store.meter.called();
        let sent = self
            .store
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
            .send()
            .await;
        match sent {
            Ok(done) => {
                self.store.meter.wrote(done.consumed_capacity());
                Ok(())
            }
            Err(error) => Err(self.read(error)),
        }
    }

    fn read(&self, error: SdkError<TransactWriteItemsError>) -> Aborted<R> {
        let cancelled = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled,
            Some(TransactWriteItemsError::TransactionInProgressException(_)) => {
                return Aborted::Fault(Fault::Contended);
            }
            _ => return Aborted::Fault(error.into()),
        };
        let mut refusals = Vec::new();
        let (mut contended, mut outrun) = (false, false);
        let reasons = cancelled.cancellation_reasons().iter().zip(&self.steps);
        for (at, (reason, (_, explain))) in reasons.enumerate() {
            match reason.code().unwrap_or("None") {
                "None" => {}
                "ConditionalCheckFailed" => match explain(reason.item()) {
                    Ok(refusal) => refusals.push(refusal),
                    Err(fault) => return Aborted::Fault(fault),
                },
                "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded" => {
                    contended = true;
                    outrun |= self.own == Some(at);
                }
                _broken => return Aborted::Fault(Fault::Refused(error.into())),
            }
        }
        // A step that was not judged may have refused too, and some refusals speak before others.
        if outrun {
            return Aborted::Fault(Fault::Outrun);
        }
        if contended || refusals.is_empty() {
            return Aborted::Fault(Fault::Contended);
        }
        Aborted::Refused(refusals)
    }
}

/// The reading of a refusal that cannot be, for steps without a condition.
pub(crate) fn never<R>(_found: Option<&Item>) -> Result<R, Fault> {
    Err(corrupt("a step without a condition refused"))
}

/// What is stored, or what `DynamoDB` says of it, makes no sense.
pub(crate) fn corrupt(what: impl Into<String>) -> Fault {
    Fault::Corrupt(what.into())
}
