//! The people and organisations of the demo. They exist only there.

use crate::{
    db,
    domain::{
        access::Role,
        ids::OrganisationId,
        operation::{Effect, Operation},
    },
    error::{OpError, OpResult},
    gateway::{GatewayClass, Promise},
    ops::{
        access::Caller,
        api_keys,
        gateways::{self, NewGateway},
        people, sessions,
        uploads::{self, Submitted, Upload},
    },
    state::AppState,
};
use secrecy::SecretString;
use std::{fmt::Write, time::Duration};
use url::Url;

/// Password of everybody in the demo.
pub const PASSWORD: &str = "batchdesk-demo";

struct DemoOrganisation {
    name: &'static str,
    maker_checker: bool,
    merchant_id: &'static str,
    gateway_key: &'static str,
    api_key: &'static str,
    people: &'static [(&'static str, Role)],
}

const ORGANISATIONS: [DemoOrganisation; 2] = [
    DemoOrganisation {
        name: "Acme Stores",
        maker_checker: true,
        merchant_id: "acme",
        gateway_key: "sim_acme",
        api_key: "bd_demo_acme",
        people: &[
            ("maker@acme.test", Role::Maker),
            ("maker2@acme.test", Role::Maker),
            ("checker@acme.test", Role::Checker),
            ("admin@acme.test", Role::Admin),
            ("viewer@acme.test", Role::Viewer),
        ],
    },
    DemoOrganisation {
        name: "Globex",
        maker_checker: false,
        merchant_id: "globex",
        gateway_key: "sim_globex",
        api_key: "bd_demo_globex",
        people: &[("owner@globex.test", Role::Owner)],
    },
];

/// E-mails of the demo with what each may do, for the lines that the demo prints and the sign-in page.
pub const PEOPLE: [(&str, &str); 6] = [
    ("maker@acme.test", "uploads at Acme Stores"),
    ("maker2@acme.test", "uploads at Acme Stores"),
    ("checker@acme.test", "approves at Acme Stores"),
    ("viewer@acme.test", "looks at Acme Stores"),
    ("admin@acme.test", "administers Acme Stores"),
    ("owner@globex.test", "everything at Globex, no approval needed"),
];

/// Makes organisations, people, API keys and connections to the simulator at `simulator`, once; later starts only bring
/// the simulator's address up to date. Sample batches are made the first time.
pub async fn seed(state: &AppState, simulator: &Url) -> OpResult<()> {
    for demo in &ORGANISATIONS {
        let mut global = state.db.global().await?;
        let known = db::people::organisation_by_name(&mut global, demo.name).await?;
        let last = match demo.people.last() {
            Some((email, _)) => db::people::by_email(&mut global, email).await?,
            None => None,
        };
        global.commit().await?;
        let fresh = known.is_none() || last.is_none();
        let organisation = people::ensure_organisation(state, demo.name).await?;
        connect(state, organisation, demo, simulator).await?;
        if !fresh {
            continue;
        }
        let mut tx = state.db.web(organisation, None).await?;
        for operation in Operation::ALL {
            db::approval_rules::set_needed(&mut tx, operation, demo.maker_checker).await?;
        }
        tx.commit().await?;
        if known.is_none() {
            api_keys::add(state, organisation, demo.api_key, Role::Viewer, demo.api_key).await?;
        }
        for (email, role) in demo.people {
            let mut global = state.db.global().await?;
            let missing = db::people::by_email(&mut global, email).await?.is_none();
            global.commit().await?;
            if missing {
                people::create(state, demo.name, email, *role, &SecretString::from(PASSWORD)).await?;
            }
        }
        samples(state, demo).await?;
    }
    Ok(())
}

/// Connects an organisation to the simulator. At a later start only the simulator's address may be another: what people
/// have measured or set since stays.
async fn connect(
    state: &AppState,
    organisation: OrganisationId,
    demo: &DemoOrganisation,
    simulator: &Url,
) -> OpResult<()> {
    let new = connection(demo, simulator);
    let mut tx = state.db.web(organisation, None).await?;
    let known = db::gateways::of_account(&mut tx, &new.connector, &new.merchant_id, new.sandbox).await?;
    tx.commit().await?;
    match known {
        Some(row) if row.base_url == simulator.as_str() => Ok(()),
        Some(row) => {
            let Promise { class, key_window } = row.promise(Effect::Refund);
            gateways::add(state, NewGateway { class, key_window, ..new }).await.map(drop)
        }
        None => gateways::add(state, new).await.map(drop),
    }
}

fn connection(demo: &DemoOrganisation, simulator: &Url) -> NewGateway {
    NewGateway {
        organisation: demo.name.to_owned(),
        connector: "juspay".to_owned(),
        base_url: simulator.clone(),
        merchant_id: demo.merchant_id.to_owned(),
        api_key: SecretString::from(demo.gateway_key),
        class: GatewayClass::K,
        key_window: Some(Duration::from_secs(24 * 3600)),
        sandbox: true,
        limits: None,
    }
}

/// Batches so that the first look at the demo is not an empty page: one that runs at Globex, two that wait at Acme.
async fn samples(state: &AppState, demo: &DemoOrganisation) -> OpResult<()> {
    use Operation::{OrderSync, Refund};
    type SampleRows = fn(&str, u64, &str) -> String;
    let files: &[(Operation, SampleRows, &str, &str, &str, u64)] = if demo.maker_checker {
        &[
            (Refund, sample_refunds, "maker@acme.test", "diwali_returns.csv", "Diwali sale returns, first lot", 120),
            (
                Refund,
                sample_refunds,
                "maker2@acme.test",
                "courier_lost_nov.csv",
                "Parcels lost by the courier, claim accepted on 19 Nov",
                36,
            ),
            (
                OrderSync,
                sample_orders,
                "maker2@acme.test",
                "orders_of_the_week.csv",
                "Orders that the shop still shows as open",
                48,
            ),
        ]
    } else {
        &[
            (Refund, sample_refunds, "owner@globex.test", "price_match_nov.csv", "", 250),
            (OrderSync, sample_orders, "owner@globex.test", "orders_oct.csv", "", 60),
        ]
    };
    for (operation, sample, email, file_name, description, rows) in files {
        let caller = caller(state, email).await?;
        let upload = Upload {
            file_name: (*file_name).to_owned(),
            bytes: sample(file_name, *rows, demo.merchant_id).into(),
            description: (*description).to_owned(),
            switch: true,
            ..Upload::default()
        };
        if let Submitted::Draft(draft) = uploads::submit(state, &caller, *operation, upload).await? {
            return Err(OpError::internal(format!("the sample {file_name} has findings: {:?}", draft.findings)));
        }
    }
    Ok(())
}

async fn caller(state: &AppState, email: &str) -> OpResult<Caller> {
    let mut global = state.db.global().await?;
    let person = db::people::by_email(&mut global, email).await?;
    let organisation = match &person {
        Some(person) => db::people::organisations(&mut global, person.id).await?.first().copied(),
        None => None,
    };
    global.commit().await?;
    let found = match (person, organisation) {
        (Some(person), Some(organisation)) => {
            sessions::caller(state, person.id, organisation, state.clock.now()).await?
        }
        _ => None,
    };
    found.ok_or_else(|| OpError::internal(format!("{email} is missing in the demo")))
}

/// A file of orders: some with their transaction, one with another's, one that the gateway does not know.
fn sample_orders(name: &str, rows: u64, merchant: &str) -> String {
    let seed = name.bytes().fold(17u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut text = String::from("order_id,txn_id,unique_request_id\n");
    for row in 0..rows {
        // Whole steps of a number that shares no factor with their count: no order comes twice.
        let number = 400_000_000 + (seed % 1_000_003 + row * 7_919) % 1_000_003;
        let order = if row == 31 { format!("ORD_MISSING_{number}") } else { format!("ORD_{number}") };
        let txn = match row % 3 {
            _ if row == 17 => "TXN_OF_ANOTHER_ORDER".to_owned(),
            0 => format!("{merchant}-{order}-1"),
            _ => String::new(),
        };
        let _ = writeln!(text, "{order},{txn},SYNC-{:03}", row + 1);
    }
    text
}

/// Whole rupees, as goods are priced.
const PRICES: [u32; 10] = [199, 299, 399, 599, 899, 999, 1_299, 1_499, 2_153, 3_059];

/// A file of the standard template: prices that look like prices, three rows that the gateway declines.
fn sample_refunds(name: &str, rows: u64, _: &str) -> String {
    let seed = name.bytes().fold(17u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut text = String::from(
        "order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,udf1,udf2,udf3,udf4,udf5,udf6,udf7,udf8,udf9,udf10\n",
    );
    for row in 0..rows {
        let mixed = seed.wrapping_add(row).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let order = 400_000_000 + mixed % 99_999_999;
        let prefix = if row % 97 == 41 { "ORD_DECLINE_" } else { "ORD_" };
        let price = usize::try_from(mixed >> 40).unwrap_or(0) % PRICES.len();
        let rupees = PRICES.get(price).copied().unwrap_or(199);
        let paise = if mixed % 7 == 0 { 50 } else { 0 };
        let _ = writeln!(text, "{prefix}{order},{rupees}.{paise:02},,,,,,,,store-{},,,,,,,,,", mixed % 12 + 1);
    }
    text
}
