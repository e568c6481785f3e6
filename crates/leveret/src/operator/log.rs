//! What operators change, as RabbitMQ logs it. Passwords and definitions stay out.

use topology::Command;
use tracing::{info, warn};

use super::policies;

/// Notes a change that was made.
pub(super) fn changed(command: &Command) {
    match command {
        Command::AddUser(it) => info!("Created user '{}'", it.name),
        Command::DeleteUser(name) => {
            info!("Deleted user '{name}'");
            info!("Closing all connections for user '{name}' because the user is being deleted");
        }
        Command::SetPassword(it) => info!("Successfully changed password for user '{}'", it.user),
        Command::ClearPassword(name) => info!("Clearing password for user '{name}'"),
        Command::SetUserTags(it) => {
            let tags = it.tags.join(",");
            info!("Successfully set user tags for user '{}' to [{tags}]", it.user);
        }
        Command::SetPermissions(it) => info!(
            "Successfully set permissions for user '{}' in virtual host '{}' to '{}', '{}', '{}'",
            it.user, it.vhost, it.configure, it.write, it.read
        ),
        Command::ClearPermissions(it) => info!(
            "Successfully cleared permissions for user '{}' in virtual host '{}'",
            it.user, it.vhost
        ),
        Command::SetTopicPermissions(it) => info!(
            "Successfully set topic permissions on exchange '{}' for user '{}' in virtual host \
             '{}' to '{}', '{}'",
            it.exchange, it.user, it.vhost, it.write, it.read
        ),
        Command::ClearTopicPermissions(it) => {
            let on = it.exchange.as_ref().map(|name| format!("on exchange '{name}' "));
            info!(
                "Successfully cleared topic permissions {}for user '{}' in virtual host '{}'",
                on.unwrap_or_default(),
                it.user,
                it.vhost
            );
        }
        Command::AddVhost(it) => match &it.description {
            None => info!("Adding vhost '{}' without a description", it.name),
            Some(description) => info!(
                "Adding vhost '{}' (description: '{description}', tags: [{}])",
                it.name,
                it.tags.join(",")
            ),
        },
        Command::DeleteVhost(name) => {
            info!("Deleting vhost '{name}'");
            info!("Closing all connections in vhost '{name}' because it's being deleted");
        }
        Command::SetParameter(it) => policies::log_set(it),
        _ => {}
    }
}

/// Notes a change that was refused.
pub(super) fn refused(command: &Command, refusal: &topology::Refusal) {
    if let Command::AddUser(it) = command
        && refusal.kind == topology::RefusalKind::AlreadyExists
    {
        warn!("Failed to add user '{}': the user already exists", it.name);
    }
}
