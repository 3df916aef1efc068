//! `scimshim token`: a tenant's token and its hash. The configuration holds only the hash.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use anyhow::Context;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

use super::{Format, Usage};
use crate::{
    config::types::{Timestamp, is_tenant_id},
    gate::token::Presented,
};

/// What `scimshim token` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  scimshim token new                                   a token, and the lines for the configuration
  scimshim token new --tenant acme --name 2026-11 --expires 2027-11-01T00:00:00Z
  scimshim token hash < token.txt                      the hash of a token that you have
  kubectl get secret acme -o jsonpath='{.data.token}' | base64 -d | scimshim token hash

Exit codes: 0 done; 1 no token came; 2 the command line is wrong.")]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a token: print it once, with the lines that let it in
    New {
        /// The tenant it is for
        #[arg(long, env = "SCIMSHIM_TENANT", value_name = "NAME", default_value = "default")]
        tenant: String,
        /// Its name in metrics and logs, such as the month it was made in
        #[arg(long, env = "SCIMSHIM_NAME", value_name = "NAME")]
        name: Option<String>,
        /// When it stops being valid, such as 2027-11-01T00:00:00Z
        #[arg(long, env = "SCIMSHIM_EXPIRES", value_name = "TIME")]
        expires: Option<String>,
        /// Form of the output
        #[arg(long, value_enum, default_value_t = Format::Text, env = "SCIMSHIM_FORMAT")]
        format: Format,
    },
    /// Print the SHA-256 of a token that is piped in
    Hash {
        /// The token; better piped, since others on this machine see a command line, and the shell keeps it
        token: Option<String>,
    },
}

/// 256 bits: nothing to guess, so a fast hash protects it.
const BYTES: usize = 32;

/// So that scanners for leaked secrets can know it, and that it begins with what no hash begins with.
const PREFIX: &str = "scim_";

/// As long as a header's value may be in practice.
const LONGEST: u64 = 16 << 10;

/// Makes or hashes a token.
pub(super) fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<u8> {
    match &args.action {
        Action::New { tenant, name, expires, format } => {
            if !is_tenant_id(tenant) {
                let cure = "1 to 63 of a-z, 0-9, `.`, `_` and `-`, the first a letter or digit";
                return Err(Usage(format!("--tenant {tenant:?} is no name of a tenant; write {cure}")).into());
            }
            let expires = expires.as_deref().map(|text| text.parse::<Timestamp>().map_err(Usage)).transpose()?;
            new(tenant, name.as_deref(), expires, *format, out)
        }
        Action::Hash { token: Some(token) } => {
            // stderr may be closed; then there is nobody to be warned.
            let _ = writeln!(io::stderr(), "warning: others see a token on the command line; pipe it in instead");
            hash(&read(&mut token.as_bytes(), false)?, out)
        }
        Action::Hash { token: None } => {
            let stdin = io::stdin();
            if stdin.is_terminal() {
                // stderr may be closed; then there is nobody to be asked.
                let _ = write!(io::stderr(), "token: ");
            }
            let token = read(&mut stdin.lock(), stdin.is_terminal())?;
            hash(&token, out)
        }
    }
}

fn hash(token: &str, out: &mut dyn Write) -> anyhow::Result<u8> {
    writeln!(out, "{}", HEXLOWER.encode(&Presented::hash(token.as_bytes()).0))?;
    Ok(0)
}

fn new(
    tenant: &str,
    name: Option<&str>,
    expires: Option<Timestamp>,
    format: Format,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    let token = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes));
    let hash = HEXLOWER.encode(&Presented::hash(token.as_bytes()).0);
    if format == Format::Json {
        let expires = expires.map(|at| at.to_string());
        let made =
            serde_json::json!({ "tenant": tenant, "token": token, "sha256": hash, "name": name, "expires": expires });
        writeln!(out, "{made}")?;
        return Ok(0);
    }
    writeln!(out, "token   {token}")?;
    writeln!(out, "sha256  {hash}")?;
    writeln!(out)?;
    writeln!(out, "Enter the token in the identity provider; it is not kept anywhere. In the configuration:")?;
    writeln!(out)?;
    writeln!(out, "tenants:\n  list:\n    {tenant}:\n      tokens:\n        - sha256: \"{hash}\"")?;
    if let Some(name) = name {
        // A JSON string is a YAML string, whatever is in it.
        writeln!(out, "          name: {}", serde_json::Value::from(name))?;
    }
    if let Some(expires) = expires {
        writeln!(out, "          expires: {expires}")?;
    }
    Ok(0)
}

/// One line of a terminal; all of a pipe, since a token may have been stored with a line break at its end.
fn read(input: &mut dyn BufRead, line: bool) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = if line { input.read_line(&mut text) } else { input.take(LONGEST + 1).read_to_string(&mut text) };
    read.context("the token on standard input cannot be read")?;
    anyhow::ensure!(text.len() as u64 <= LONGEST, "standard input holds over {LONGEST} bytes, which is no token");
    let token = text.trim();
    anyhow::ensure!(!token.is_empty(), "no token came; pipe it in: scimshim token hash < token.txt");
    anyhow::ensure!(
        !token.contains(char::is_whitespace),
        "a token has no blanks; pipe in the token alone, without `Bearer` before it"
    );
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_new_prints_is_a_configuration_that_lets_its_token_in() {
        let print = || {
            let mut out = Vec::new();
            let expires = Some("2099-01-01T00:00:00Z".parse().unwrap());
            new("default", Some("a \"b\": #c"), expires, Format::Text, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let text = print();
        let token = text.lines().next().unwrap().strip_prefix("token   ").unwrap();
        assert!(token.len() > 40 && token.starts_with(PREFIX) && !print().contains(token));
        let yaml = format!("upstream: {{ url: \"http://a/\" }}\n{}", &text[text.find("tenants:").unwrap()..]);
        let world = crate::config::World::real();
        let settings = crate::config::read(&yaml, std::path::Path::new(""), &world).unwrap().settings;
        let tokens = &settings.tenants.list["default"].tokens;
        assert_eq!(tokens[0].sha256, Presented::hash(token.as_bytes()).0);
        assert_eq!(
            (&*tokens[0].name, tokens[0].expires.unwrap().to_string().as_str()),
            ("a \"b\": #c", "2099-01-01T00:00:00Z")
        );
    }

    #[test]
    fn a_token_is_read_without_what_is_around_it() {
        let read = |text: &str, line| read(&mut text.as_bytes(), line).ok();
        assert_eq!(read("t0ken\r\n", false).as_deref(), Some("t0ken"));
        assert_eq!(read("t0ken\nmore\n", true).as_deref(), Some("t0ken"));
        for text in ["", "\n", "Bearer t0ken", "a\nb", &"x".repeat(LONGEST as usize + 1)] {
            assert_eq!(read(text, false), None);
        }
    }
}
