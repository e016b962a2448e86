//! `onsale operator add EMAIL`: somebody who may steer on-sales.

use std::io::BufRead as _;

use admission::operators;
use admission::password::Passwords;
use clap::Subcommand;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::Globals;
use super::tool::Target;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Operator {
    /// Add an operator; prints a one-time password unless one is given
    Add {
        email: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
}

pub(crate) async fn run(operator: Operator, globals: &Globals) -> Result<(), Failure> {
    let Operator::Add { email, password_stdin } = operator;
    let target = Target::database(globals)?;
    let password = if password_stdin { read_password()? } else { operators::one_time_password() };
    let pool = target.pool().await?;
    let passwords = Passwords::new(&target.keyring()?);
    operators::add(&pool, &passwords, &email, password.clone())
        .await
        .map_err(|error| Failure::refused("operator", "The operator was not added", error.to_string()))?;
    let shown = (!password_stdin).then(|| password.expose_secret().to_owned());
    output::say(globals.json, &json!({ "email": email, "password": shown }), || match &shown {
        Some(password) => format!("{email} may sign in with {password}"),
        None => format!("{email} may sign in"),
    })
}

fn read_password() -> Result<SecretString, Failure> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::usage("no password on standard input"));
    }
    Ok(SecretString::from(password))
}
