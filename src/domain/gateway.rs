//! What a gateway promises of an effect.

use super::protocol::GatewayClass;
use std::time::Duration;

/// A class, and how long keys are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The class.
    pub class: GatewayClass,
    /// How long every outcome is kept under our key: class K only.
    pub key_window: Option<Duration>,
}

impl Promise {
    /// What is promised where nobody has measured or declared anything.
    pub const NONE: Self = Self { class: GatewayClass::N, key_window: None };

    /// A class with the time that keys are remembered for; that belongs to class K, and there is no class K without it.
    pub fn new(class: GatewayClass, key_window: Option<Duration>) -> Self {
        match (class, key_window) {
            (GatewayClass::K, None) => Self { class: GatewayClass::Q, key_window: None },
            (GatewayClass::K, Some(_)) => Self { class, key_window },
            (GatewayClass::Q | GatewayClass::N, _) => Self { class, key_window: None },
        }
    }

    /// This promise where the gateway's contract allows so much, else what the contract allows.
    pub fn at_most(self, ceiling: Self) -> Self {
        Self::new(self.class.weaker(ceiling.class), self.key_window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Option<Duration> = Some(Duration::from_secs(24 * 3600));

    #[test]
    fn a_promise_never_exceeds_its_ceiling() {
        for declared in GatewayClass::ALL {
            for ceiling in GatewayClass::ALL {
                let granted = Promise::new(declared, DAY).at_most(Promise::new(ceiling, DAY)).class;
                assert!(granted == declared || granted == ceiling, "{declared:?} {ceiling:?}");
                assert_eq!(granted.weaker(declared), granted, "{declared:?} {ceiling:?}");
                assert_eq!(granted.weaker(ceiling), granted, "{declared:?} {ceiling:?}");
            }
        }
    }

    #[test]
    fn a_window_belongs_to_keys_that_are_kept() {
        assert_eq!(Promise::new(GatewayClass::K, None).class, GatewayClass::Q, "for how long is not known");
        assert_eq!(Promise::new(GatewayClass::Q, DAY).key_window, None);
        assert_eq!(Promise::new(GatewayClass::N, DAY), Promise::NONE);
    }
}
