//! The payment provider of a world: a sandbox on a port of its own, and what people do there. What it
//! has to tell is kept until the test passes it on.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use edge::Clock;
use edge::payment::Carrier;
use lambda_http::Service as _;
use local::sandbox::{Deliver, Delivery, Sandbox, plain_http};
use serde_json::{Value, json};

use crate::world::{Answer, Deliveries, WEBHOOK_SECRETS, World};

impl World {
    /// Pays for a reservation at the provider, and returns the payment's reference.
    pub(crate) async fn pay(&self, reservation: &Value, outcome: &str) -> String {
        let amount = &reservation["amount"];
        self.pay_amount(reservation, &amount["amount"], &amount["currency"], outcome).await
    }

    pub(crate) async fn pay_amount(
        &self,
        reservation: &Value,
        amount: &Value,
        currency: &Value,
        outcome: &str,
    ) -> String {
        let order = json!({
            "reservationId": reservation["reservationId"],
            "amount": amount,
            "currency": currency,
            "outcome": outcome,
        });
        self.order(&order).await
    }

    /// Orders a payment at the provider, and returns its reference.
    pub(crate) async fn order(&self, order: &Value) -> String {
        let url = format!("{}/sandbox/payments", self.provider_url);
        let paid = plain_http().post(url).json(order).send().await.unwrap();
        let paid: Value = paid.error_for_status().unwrap().json().await.unwrap();
        paid["paymentReference"].as_str().unwrap().to_owned()
    }

    /// Ends a payment that stays pending at the provider.
    pub(crate) async fn finish(&self, payment: &str, outcome: &str) {
        let url = format!("{}/sandbox/payments/{payment}", self.provider_url);
        let ending = json!({"outcome": outcome});
        let ended = plain_http().put(url).json(&ending).send().await.unwrap();
        ended.error_for_status().unwrap();
    }

    /// Pays, or is declined, on the provider's page; again and again until it is paid.
    pub(crate) async fn payer_pays(&self, payment: &str, outcome: &str) {
        let url = format!("{}/sandbox/pay/{payment}", self.provider_url);
        let paid = plain_http().post(url).body(format!("outcome={outcome}")).send().await.unwrap();
        paid.error_for_status().unwrap();
    }

    /// Sends a payment's money back at the provider, by hand.
    pub(crate) async fn give_back(&self, payment: &str) {
        let url = format!("{}/sandbox/payments/{payment}/refunds", self.provider_url);
        plain_http().post(url).send().await.unwrap().error_for_status().unwrap();
    }

    /// The same, of a part.
    pub(crate) async fn give_back_some(&self, payment: &str, amount: u64) {
        let url = format!("{}/sandbox/payments/{payment}/refunds", self.provider_url);
        let refund = plain_http().post(url).json(&json!({"amount": amount})).send();
        refund.await.unwrap().error_for_status().unwrap();
    }

    /// Changes how the provider treats a payment.
    pub(crate) async fn change(&self, payment: &str, flags: &Value) {
        let url = format!("{}/sandbox/payments/{payment}", self.provider_url);
        plain_http().put(url).json(flags).send().await.unwrap().error_for_status().unwrap();
    }

    /// A payment as the provider has it.
    pub(crate) async fn at_provider(&self, payment: &str) -> Value {
        let url = format!("{}/sandbox/payments/{payment}", self.provider_url);
        plain_http().get(url).send().await.unwrap().json().await.unwrap()
    }

    /// What the provider has to tell, taken, in the order in which it would.
    pub(crate) fn take_deliveries(&self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries.lock().unwrap())
    }

    /// Has the sandbox tell something.
    pub(crate) async fn tell(&self, delivery: &Delivery) -> Answer {
        let headers = delivery.signed(WEBHOOK_SECRETS[0].1, self.now());
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.webhook("sandbox", &headers, &delivery.body).await
    }
}

/// A provider of the world's own, on a port of its own, for as long as the test runs: where it is, and
/// what answers there. What it has to tell is kept until the test passes it on.
pub(crate) async fn start(clock: Clock, deliveries: &Deliveries) -> (String, Router) {
    let deliveries = Arc::clone(deliveries);
    let deliver: Deliver = Arc::new(move |told| deliveries.lock().unwrap().extend(told));
    let router = Sandbox::new(None, clock, deliver).router();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = router.clone();
    tokio::spawn(async { axum::serve(listener, served).await });
    (url, router)
}

/// What brings requests to a sandbox without a socket.
pub(crate) fn carrier(sandbox: Router) -> Carrier {
    Carrier::new(move |request| {
        let mut sandbox = sandbox.clone();
        Box::pin(async move {
            let request = axum::http::Request::try_from(request)?;
            let Ok(answer) = sandbox.call(request.map(Body::new)).await;
            let (status, body) = (answer.status(), answer.into_body());
            Ok((status, to_bytes(body, usize::MAX).await?.into()))
        })
    })
}
