//! Who a client claims to be, and whether its password fits.
//!
//! Knows: RabbitMQ's password hashes ([`password`]), users' names in certificates ([`certificate`])
//! and the SASL mechanisms of AMQP 0-9-1 ([`sasl`]). Everything is a pure function: salts and stored hashes are arguments.
//!
//! Must not know: where users are stored, permissions, sockets, chance, the clock.
#![forbid(unsafe_code)]

pub mod certificate;
pub mod password;
pub mod sasl;

pub use certificate::{
    AlternativeName, CertificateFacts, LoginFrom, certificate_expiries, certificate_facts,
    login_name,
};
pub use password::{Algorithm, hash_password, verify_password};
pub use sasl::{
    Anonymous, Attempt, CertificateName, Circumstances, MECHANISMS, Mechanism, Rejection,
};
