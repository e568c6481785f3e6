use super::{CTL, Command, Run, USERS, add_user::new_password, count};
use crate::{args::flag, exit, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "change_password",
    tools: CTL,
    section: USERS,
    usage: "<username> <password>",
    about: "Gives a user a new password; an argument or the first line of standard input",
    options: &[flag("pre-hashed-password")],
    prepare: |request| count(request, 1, 2),
    banner: |request, _| {
        vec![format!("Changing password for user \"{}\" ...", request.argument(0))]
    },
    password: Some(1),
    no_password_exit: exit::SOFTWARE,
    run: Run::OnNode(|operator, request, _| {
        operator.change_password(request.argument(0), new_password(request))?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
