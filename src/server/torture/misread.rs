//! Connectors that misread what the gateway says, or that send again under another key: for the tests alone.

use super::is_out;
use crate::{
    db::gateways::GatewayRow,
    domain::{money::Currency, protocol::ReplyClass},
    gateway::{ConnectError, Connector, Descriptor, Found, Instruction, Listing, OrderState, Reply},
    processor::{Connect, Connectors},
    state::AppState,
};
use async_trait::async_trait;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// The connectors of this program behind somebody who misreads them as `BATCHDESK_MUTANT` says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Misreading;

impl Connect for Misreading {
    fn connect(
        &self,
        state: &AppState,
        row: &GatewayRow,
        currency: Currency,
        slots: usize,
    ) -> Result<Arc<dyn Connector>, ConnectError> {
        let inner = Connectors.connect(state, row, currency, slots)?;
        Ok(Arc::new(Misreader { inner, sent: Mutex::default() }))
    }
}

struct Misreader {
    inner: Arc<dyn Connector>,
    /// Keys that were sent.
    sent: Mutex<HashSet<String>>,
}

impl Misreader {
    /// A second send goes out under a key of its own.
    fn fresh(&self, instruction: &Instruction) -> Instruction {
        let Instruction::Refund(request) = instruction;
        let mut request = request.clone();
        let first = self.sent.lock().unwrap_or_else(PoisonError::into_inner).insert(request.key.clone());
        if !first {
            request.key = format!("{:.16}F", request.key);
        }
        Instruction::Refund(request)
    }
}

fn misread(reply: Reply, instruction: &Instruction) -> Reply {
    let Instruction::Refund(request) = instruction;
    let doubtful = reply.class == ReplyClass::Unknown;
    let class = match reply.class {
        _ if doubtful && is_out("doubtful_is_sent_again") => ReplyClass::NotSent,
        _ if doubtful && is_out("timeout_is_failed") && reply.http.is_none() => ReplyClass::Failed,
        _ if doubtful && is_out("error_500_is_failed") && reply.http >= Some(500) => ReplyClass::Failed,
        _ if is_out("amount_not_matched") && reply.code.as_deref() == Some("amount_mismatch") => {
            let done = reply.gateway_status.as_deref() == Some("SUCCESS");
            let class = if done { ReplyClass::Succeeded } else { ReplyClass::Pending };
            return Reply { class, confirmed_minor: Some(request.amount.minor), ..reply };
        }
        class => class,
    };
    Reply { class, ..reply }
}

#[async_trait]
impl Connector for Misreader {
    fn descriptor(&self) -> &Descriptor {
        self.inner.descriptor()
    }

    async fn send(&self, instruction: &Instruction) -> Reply {
        let reply = match is_out("fresh_key") {
            true => self.inner.send(&self.fresh(instruction)).await,
            false => self.inner.send(instruction).await,
        };
        misread(reply, instruction)
    }

    async fn find(&self, instruction: &Instruction) -> Found {
        match self.inner.find(instruction).await {
            Found::NotFound(reply) if is_out("not_found_is_failed") => {
                Found::Record(Reply { class: ReplyClass::Failed, ..reply })
            }
            Found::Record(reply) => Found::Record(misread(reply, instruction)),
            found => found,
        }
    }

    async fn order(&self, order_id: &str) -> OrderState {
        self.inner.order(order_id).await
    }

    async fn refunds_of(&self, order_id: &str, currency: Currency) -> Listing {
        self.inner.refunds_of(order_id, currency).await
    }
}
