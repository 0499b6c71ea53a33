//! What stored hashes and keys rest on.

use super::*;
use sha2::{Digest, Sha256};

fn record() -> RefundRecord {
    check(Template::Standard.template().sample).records.remove(0)
}

#[test]
fn the_canonical_form_tells_all_records_apart() {
    let base = record();
    let change = |f: &dyn Fn(&mut RefundRecord)| {
        let mut other = base.clone();
        f(&mut other);
        other.canonical(INR)
    };
    let mut forms = vec![
        base.canonical(INR),
        base.canonical(Currency::Usd),
        change(&|r| r.number = 2),
        change(&|r| r.order_id.push('1')),
        change(&|r| r.amount_minor += 1),
        change(&|r| r.txn_id = None),
        change(&|r| r.txn_id = Some(String::new())),
        change(&|r| r.unique_id = None),
        change(&|r| std::mem::swap(&mut r.txn_id, &mut r.unique_id)),
        change(&|r| r.split = None),
        change(&|r| r.split.as_mut().unwrap().marketplace = None),
        change(&|r| r.split.as_mut().unwrap().marketplace = Some(1)),
        change(&|r| r.split.as_mut().unwrap().vendors[0].1 = 1),
        change(&|r| r.split.as_mut().unwrap().vendors.reverse()),
        change(&|r| r.split.as_mut().unwrap().vendors.truncate(1)),
        change(&|r| r.udf[0].clear()),
        change(&|r| r.udf.swap(0, 1)),
        change(&|r| r.udf[9].push(' ')),
        // The same letters, cut elsewhere.
        change(&|r| {
            r.udf[0] = "CustomValue1Custom".into();
            r.udf[1] = "Value2".into();
        }),
    ];
    let count = forms.len();
    forms.sort();
    forms.dedup();
    assert_eq!(forms.len(), count);
    let hash: String = Sha256::digest(base.canonical(INR)).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, FIXED_HASH, "stored hashes must be found again by every later version");
    assert_eq!(change(&|r| r.row = 99), base.canonical(INR), "a blank line more changes nothing that is sent");
}

#[test]
fn keys_fit_the_gateway_and_never_meet() {
    let seed = [7; 16];
    assert_eq!(gateway_key(Some("REFUNIQUE001"), &seed, 1, 1), "REFUNIQUE001");
    let mut keys = std::collections::HashSet::new();
    for unique_id in [None, Some("REF_1"), Some("x".repeat(21).as_str()), Some("é")] {
        for seed in [[7; 16], [8; 16]] {
            for number in 1..50 {
                for revision in 1..4 {
                    let key = gateway_key(unique_id, &seed, number, revision);
                    assert!(fits_gateway_key(&key) && key.len() == 20 && key.starts_with("BD"), "{key}");
                    assert_eq!(key, gateway_key(unique_id, &seed, number, revision));
                    assert!(keys.insert(key));
                }
            }
        }
    }
    let again = gateway_key(Some("REFUNIQUE001"), &seed, 1, 2);
    assert!(again.starts_with("BD"), "a key that failed is final at the gateway: {again}");
    // Stored keys must be found again by every later version.
    assert_eq!(gateway_key(None, &[0; 16], 1, 1), FIXED_KEY);
}

const FIXED_HASH: &str = "790643aeb62dbc0f5be5e1777e321dd87b5b598f67c33c5b52695da084ea4e72";
const FIXED_KEY: &str = "BD4G02A1HBF8S5RT2V8M";
