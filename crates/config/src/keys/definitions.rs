//! Definitions that each start imports.

use std::path::PathBuf;

use super::Key;
use crate::value::one_of;

/// What was typed of them.
#[derive(Debug, Default)]
pub(crate) struct TypedDefinitions {
    /// `load_definitions`
    path: Option<PathBuf>,
    /// `management.load_definitions`
    management_path: Option<PathBuf>,
    /// `definitions.local.path`
    local_path: Option<PathBuf>,
    /// `definitions.import_backend` is the one there is.
    has_backend: bool,
}

impl TypedDefinitions {
    /// The paths in the order of the import.
    pub(super) fn resolve(self) -> Result<Vec<PathBuf>, String> {
        if self.has_backend != self.local_path.is_some() {
            let text = "definitions.import_backend = local_filesystem and definitions.local.path \
                        need each other";
            return Err(text.to_owned());
        }
        Ok([self.path, self.management_path, self.local_path].into_iter().flatten().collect())
    }
}

fn path(value: &str) -> Option<PathBuf> {
    (value != "none").then(|| value.into())
}

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "load_definitions",
        about: "file or directory of definitions to import at each start; then there is no default user",
        set: |typed, entry| {
            typed.definitions.path = path(entry.value);
            Ok(())
        },
    },
    Key {
        name: "management.load_definitions",
        about: "as `load_definitions`",
        set: |typed, entry| {
            typed.definitions.management_path = path(entry.value);
            Ok(())
        },
    },
    Key {
        name: "definitions.import_backend",
        about: "`local_filesystem`: definitions come from `definitions.local.path`",
        set: |typed, entry| {
            // The second is the name of RabbitMQ's module.
            let choices =
                [("local_filesystem", true), ("rabbit_definitions_import_local_filesystem", true)];
            typed.definitions.has_backend = one_of(entry.value, &choices)?;
            Ok(())
        },
    },
    Key {
        name: "definitions.local.path",
        about: "as `load_definitions`",
        set: |typed, entry| {
            typed.definitions.local_path = Some(entry.value.into());
            Ok(())
        },
    },
];
