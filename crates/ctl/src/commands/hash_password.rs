use super::{CTL, Command, Misuse, Run, count};
use crate::{
    args::text,
    exit,
    protocol::{Failure, Output},
};

pub(super) const COMMAND: Command = Command {
    name: "hash_password",
    tools: CTL,
    usage: "<cleartext_password> [--hashing-algorithm <algorithm>]",
    about: "Hashes a password for definitions or for add_user --pre-hashed-password",
    options: &[text("hashing-algorithm")],
    prepare: |request| {
        count(request, 0, 1)?;
        match request.arguments.first().map(String::as_str) {
            Some("") => Err(Misuse::bad("password cannot be an empty string")),
            _ => Ok(()),
        }
    },
    // RabbitMQ shows the password too.
    banner: |request, _| vec![format!("Will hash password {}", request.argument(0))],
    password: Some(0),
    run: Run::Here(|local| {
        let algorithm = match local.request.options.get("hashing-algorithm").map(String::as_str) {
            None | Some("rabbit_password_hashing_sha256" | "sha256") => auth::Algorithm::Sha256,
            Some("rabbit_password_hashing_sha512" | "sha512") => auth::Algorithm::Sha512,
            Some(other) => {
                let text = format!("{other} is no hash algorithm for new passwords");
                return Err(Failure::error(exit::DATAERR, text));
            }
        };
        let salt = rand::random();
        let password = local.request.argument(0).as_bytes();
        Ok(Output::Text(auth::hash_password(algorithm, salt, password)))
    }),
    ..Command::BASE
};
