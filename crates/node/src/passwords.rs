//! The internal authentication backend: users and password hashes of the topology.

use auth::{Algorithm, verify_password};
use broker::Authenticator;
use topology::State;

/// Checks passwords against the hashes that the control plane holds.
pub(crate) struct InternalUsers;

impl Authenticator for InternalUsers {
    fn is_password_of(&self, state: &State, user: &str, password: &[u8]) -> bool {
        let Some(user) = state.user(user) else { return false };
        let Some(algorithm) = Algorithm::from_name(user.hashing_algorithm()) else { return false };
        verify_password(algorithm, user.password_hash(), password)
    }
}
