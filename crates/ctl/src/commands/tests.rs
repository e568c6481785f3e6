use std::collections::BTreeSet;

use super::*;

#[test]
fn every_command_is_one_of_rabbitmq_s_in_the_same_tools() {
    for command in COMMANDS {
        for tool in Tool::ALL {
            let is_known = known_names(tool).any(|name| name == command.name);
            let is_here = command.tools.contains(&tool);
            assert_eq!(is_here, is_known, "{} in {}", command.name, tool.name());
        }
    }
}

#[test]
fn every_command_stands_once_in_the_table() {
    let names: BTreeSet<&str> = COMMANDS.iter().map(|command| command.name).collect();
    assert_eq!(names.len(), COMMANDS.len());
}

#[test]
fn every_command_is_explained() {
    for command in COMMANDS {
        assert!(!command.about.is_empty() && !command.about.ends_with('.'), "{}", command.name);
    }
}

#[test]
fn columns_are_typed_with_spaces_or_commas() {
    let known: &[Column<()>] = &[("name", |()| Term::nothing()), ("type", |()| Term::nothing())];
    let typed = |words: &[&str]| {
        let arguments = words.iter().map(|word| (*word).to_owned()).collect();
        let mut request = Request { arguments, ..Request::default() };
        columns(&mut request, known, &["name"]).map(|()| request.arguments.join(" "))
    };
    assert_eq!(typed(&[]), Ok("name".to_owned()));
    assert_eq!(typed(&["type", "name"]), Ok("type name".to_owned()));
    assert_eq!(typed(&["type,name"]), Ok("type name".to_owned()));
    assert_eq!(
        typed(&["type", "x,y"]),
        Err(Misuse::BadColumns(vec!["x".to_owned(), "y".to_owned()]))
    );
}
