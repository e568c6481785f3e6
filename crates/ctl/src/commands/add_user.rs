use super::{CTL, Command, Misuse, Run, USERS, count};
use operator::NewPassword;

use crate::{
    args::flag,
    protocol::{Output, Request},
};

pub(super) const COMMAND: Command = Command {
    name: "add_user",
    tools: CTL,
    section: USERS,
    usage: "<username> [<password>] [<password_hash> --pre-hashed-password]",
    about: "Makes a user; the password is an argument or the first line of standard input",
    options: &[flag("pre-hashed-password")],
    prepare: |request| {
        count(request, 1, 2)?;
        match request.argument(0) {
            "" => Err(Misuse::bad("user cannot be an empty string")),
            _ => Ok(()),
        }
    },
    banner: |request, _| vec![format!("Adding user \"{}\" ...", request.argument(0))],
    password: Some(1),
    run: Run::OnNode(|operator, request, _| {
        operator.add_user(request.argument(0), new_password(request))?;
        if request.has("quiet") || request.has("silent") {
            return Ok(Output::Nothing);
        }
        Ok(Output::Text(
            "Done. Don't forget to grant the user permissions to some virtual hosts! See \
             'rabbitmqctl help set_permissions' to learn more."
                .to_owned(),
        ))
    }),
    ..Command::BASE
};

/// The second argument, in clear or hashed already.
pub(super) fn new_password(request: &Request) -> NewPassword<'_> {
    match request.has("pre-hashed-password") {
        true => NewPassword::Hashed(request.argument(1)),
        false => NewPassword::Clear(request.argument(1)),
    }
}
