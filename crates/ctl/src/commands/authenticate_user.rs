use super::{CTL, Command, Run, USERS, count};
use crate::{exit, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "authenticate_user",
    tools: CTL,
    section: USERS,
    usage: "<username> <password>",
    about: "Tells whether a password is right; exits with 65 if not",
    prepare: |request| count(request, 1, 2),
    banner: |request, _| vec![format!("Authenticating user \"{}\" ...", request.argument(0))],
    password: Some(1),
    no_password_exit: exit::SOFTWARE,
    run: Run::OnNode(|operator, request, _| {
        operator.authenticate_user(request.argument(0), request.argument(1))?;
        Ok(Output::Text("Success".to_owned()))
    }),
    ..Command::BASE
};
