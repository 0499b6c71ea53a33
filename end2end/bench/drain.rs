//! The processor with a gateway inside its own process that answers at once: what the money protocol costs without a
//! wire.
//!
//! Configured as `batchdesk serve --no-web` is. Says `ready`, works until SIGTERM, drains.

use async_trait::async_trait;
use batchdesk::{
    domain::money::Currency,
    server::{
        clock::Clock,
        config::Config,
        db::{Db, PoolSizes, gateways::GatewayRow},
        gateway::{
            ConnectError, Connector, Descriptor, Found, Instruction, OrderState, RefundRequest, Reply, ReplyClass,
            juspay,
        },
        live::Live,
        ops::outbox,
        processor::{self, Connect},
        state::AppState,
    },
};
use secrecy::ExposeSecret;
use std::{error::Error, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Carries out whatever it is asked, and remembers nothing.
struct AtOnce;

impl AtOnce {
    fn nothing() -> Reply {
        Reply {
            class: ReplyClass::Unknown,
            http: None,
            reference: None,
            gateway_status: None,
            gateway_kind: None,
            code: None,
            message: None,
            confirmed_minor: None,
            wait: None,
            body: String::new(),
        }
    }
}

#[async_trait]
impl Connector for AtOnce {
    fn descriptor(&self) -> &Descriptor {
        &juspay::DESCRIPTOR
    }

    async fn order(&self, _: &str) -> OrderState {
        OrderState::NoAnswer(Self::nothing())
    }

    async fn send(&self, instruction: &Instruction) -> Reply {
        let Instruction::Refund(RefundRequest { key, order_id, amount, .. }) = instruction;
        Reply {
            class: ReplyClass::Succeeded,
            http: Some(200),
            reference: Some(format!("r{key}")),
            gateway_status: Some("SUCCESS".to_owned()),
            gateway_kind: Some("STANDARD".to_owned()),
            confirmed_minor: Some(amount.minor),
            // As long as the answer of the gateway on loopback: it is kept.
            body: format!(
                r#"{{"order_id":"{order_id}","status":"CHARGED","currency":"INR","amount":100000.00,"amount_refunded":0,"maximum_eligible_refund_amount":100000.00,"txn_id":"m-{order_id}-1","refunds":[{{"unique_request_id":"{key}","ref":"r{key}","amount":1.00,"status":"SUCCESS","refund_type":"STANDARD"}}]}}"#
            ),
            ..Self::nothing()
        }
    }

    async fn find(&self, _: &Instruction) -> Found {
        Found::NoAnswer(Self::nothing())
    }
}

impl Connect for AtOnce {
    fn connect(&self, _: &AppState, _: &GatewayRow, _: Currency, _: usize) -> Result<Arc<dyn Connector>, ConnectError> {
        Ok(Arc::new(Self))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::from_env(false)?;
    let database = config.database_url.as_ref().ok_or("DATABASE_URL is not set")?.expose_secret().parse()?;
    let db = Db::connect(database, PoolSizes::default()).await?;
    let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
    let state = AppState::new(config, db, Clock::system(), Live::default(), soft.clone());
    let mut end = signal(SignalKind::terminate())?;
    let dispatcher = tokio::spawn(outbox::run(state.clone(), soft.clone()));
    let processor = tokio::spawn(processor::run(state.clone(), Arc::new(AtOnce), soft.clone(), hard));
    println!("ready");
    end.recv().await;
    soft.cancel();
    processor.await?;
    dispatcher.await?;
    state.db.close().await;
    Ok(())
}
