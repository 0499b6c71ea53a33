//! Who may do what: module × right. Rights are independent but for Read, which Approve and ReadWrite include.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use time::Duration;

/// How old the last proof of the password may be when a person decides something, or says where money goes.
pub const PROOF_AGE: Duration = Duration::minutes(10);

/// The parts of the product that rights are given on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Module {
    /// Batch Refunds (ACL `refunds`).
    Refunds,
    /// Batch Sync and orders (ACL `orders`).
    Orders,
    /// Transaction imports.
    Transactions,
    /// Payment files.
    PaymentFiles,
    /// People and roles.
    People,
    /// Settings, limits, gateway connections.
    Settings,
    /// The audit trail.
    Audit,
}

impl Module {
    /// All modules.
    pub const ALL: [Self; 7] = [
        Self::Refunds,
        Self::Orders,
        Self::Transactions,
        Self::PaymentFiles,
        Self::People,
        Self::Settings,
        Self::Audit,
    ];

    /// The name in the database, in roles and in messages.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refunds => "refunds",
            Self::Orders => "orders",
            Self::Transactions => "transactions",
            Self::PaymentFiles => "payment_files",
            Self::People => "people",
            Self::Settings => "settings",
            Self::Audit => "audit",
        }
    }

    /// The module with this name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|module| module.code() == code)
    }
}

/// What may be done in a module. Neither of `ReadWrite` and `Approve` includes the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// See and download.
    Read,
    /// Upload, withdraw, sync, pause, resume, cancel.
    ReadWrite,
    /// Approve or reject what somebody else submitted.
    Approve,
}

impl Right {
    /// The name in the database and in messages.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadWrite => "read_write",
            Self::Approve => "approve",
        }
    }

    /// The right with this name.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Read, Self::ReadWrite, Self::Approve].into_iter().find(|right| right.code() == code)
    }
}

/// The rights of one member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions(pub BTreeSet<(Module, Right)>);

impl Permissions {
    /// Whether `right` on `module` is among them; Read is also given by the other two.
    pub fn allow(&self, module: Module, right: Right) -> bool {
        match right {
            Right::Read => {
                [Right::Read, Right::ReadWrite, Right::Approve].iter().any(|r| self.0.contains(&(module, *r)))
            }
            other => self.0.contains(&(module, other)),
        }
    }
}

/// The roles that every organisation starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// People, settings and audit; no right on money.
    Admin,
    /// Uploads.
    Maker,
    /// Approves.
    Checker,
    /// Looks.
    Viewer,
    /// Everything; approval of one's own batches stays impossible.
    Owner,
}

impl Role {
    /// All built-in roles.
    pub const ALL: [Self; 5] = [Self::Admin, Self::Maker, Self::Checker, Self::Viewer, Self::Owner];

    /// The name in the database and on the command line.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Maker => "maker",
            Self::Checker => "checker",
            Self::Viewer => "viewer",
            Self::Owner => "owner",
        }
    }

    /// The role with this name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }

    /// The rights of the role.
    pub fn permissions(self) -> Permissions {
        let work = [Module::Refunds, Module::Orders, Module::Transactions, Module::PaymentFiles];
        let office = [Module::People, Module::Settings, Module::Audit];
        let all = |modules: &[Module], rights: &[Right]| {
            modules.iter().flat_map(|m| rights.iter().map(|r| (*m, *r))).collect::<BTreeSet<_>>()
        };
        Permissions(match self {
            Self::Admin => all(&office, &[Right::ReadWrite]),
            Self::Maker => all(&work, &[Right::ReadWrite]),
            Self::Checker => all(&work, &[Right::Approve]),
            Self::Viewer => all(&work, &[Right::Read]),
            Self::Owner => {
                let mut rights = all(&work, &[Right::ReadWrite, Right::Approve]);
                rights.extend(all(&office, &[Right::ReadWrite]));
                rights
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHTS: [Right; 3] = [Right::Read, Right::ReadWrite, Right::Approve];
    const MONEY: [Module; 4] = [Module::Refunds, Module::Orders, Module::Transactions, Module::PaymentFiles];

    #[test]
    fn read_is_included_and_nothing_else_is() {
        for module in Module::ALL {
            for given in RIGHTS {
                let permissions = Permissions(BTreeSet::from([(module, given)]));
                for asked in RIGHTS {
                    assert_eq!(
                        permissions.allow(module, asked),
                        asked == given || asked == Right::Read,
                        "{given:?} {asked:?}"
                    );
                }
                for other in Module::ALL.into_iter().filter(|other| *other != module) {
                    assert!(RIGHTS.into_iter().all(|right| !permissions.allow(other, right)));
                }
            }
        }
        assert!(!Permissions::default().allow(Module::Refunds, Right::Read));
    }

    #[test]
    fn roles_give_what_they_say() {
        let may = |role: Role, module, right| role.permissions().allow(module, right);
        for module in MONEY {
            for right in RIGHTS {
                assert!(!may(Role::Admin, module, right), "an admin has no right on money");
                assert!(may(Role::Owner, module, right));
                assert_eq!(may(Role::Maker, module, right), right != Right::Approve);
                assert_eq!(may(Role::Checker, module, right), right != Right::ReadWrite);
                assert_eq!(may(Role::Viewer, module, right), right == Right::Read);
            }
        }
        for module in [Module::People, Module::Settings, Module::Audit] {
            for role in [Role::Maker, Role::Checker, Role::Viewer] {
                assert!(RIGHTS.into_iter().all(|right| !may(role, module, right)), "{role:?} {module:?}");
            }
            assert!(may(Role::Admin, module, Right::ReadWrite) && may(Role::Owner, module, Right::ReadWrite));
        }
    }

    #[test]
    fn names_are_found_again() {
        for module in Module::ALL {
            assert_eq!(Module::from_code(module.code()), Some(module));
        }
        for right in RIGHTS {
            assert_eq!(Right::from_code(right.code()), Some(right));
        }
        for role in Role::ALL {
            assert_eq!(Role::from_code(role.code()), Some(role));
        }
        assert_eq!((Module::from_code("Refunds"), Right::from_code("write"), Role::from_code("")), (None, None, None));
    }
}
