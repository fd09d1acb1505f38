//! What the server prints when it is ready: where it is, and what to do next.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use chancery_server::config::Config;
use chancery_server::{OteCredential, Server};

/// Prints the address and, in OTE mode, the way from nothing to a certificate.
pub(crate) fn print(config: &Config, server: &Server) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let url = format!("http://{}", server.address);
    writeln!(out, "Chancery listens on {url}")?;
    writeln!(out, "Its data is in      {}", config.data.display())?;
    if let (Some(account), Some([dns, web, mail])) = (&server.account, server.world_addresses()) {
        writeln!(
            out,
            "Its world:          DNS on {dns}, web on {web}, mail on {mail}"
        )?;
        writeln!(out, "User name:          {}", account.webnic.username)?;
        writeln!(out, "Secret:             {}", account.webnic.password)?;
        let logicboxes = &account.logicboxes;
        writeln!(out, "LogicBoxes user id: {}", logicboxes.username)?;
        writeln!(out, "LogicBoxes key:     {}", logicboxes.password)?;
        writeln!(
            out,
            "\nFrom an order to a certificate, to paste into another shell:\n"
        )?;
        writeln!(
            out,
            "{}",
            filled(include_str!("first_steps.sh"), &url, &account.webnic)
        )?;
        let program = quoted(&std::env::current_exe()?);
        let data = quoted(&std::path::absolute(&config.data)?);
        writeln!(
            out,
            "\nThe same in one: {program} demo --url {url} --data {data}"
        )?;
        writeln!(
            out,
            "\nA first contact over the LogicBoxes API, made and read back:\n"
        )?;
        let contact = include_str!("first_contact.sh");
        let customer = account.reseller.to_string();
        let contact = contact.replace("@CUSTOMER@", &customer);
        writeln!(out, "{}", filled(&contact, &url, &account.logicboxes))?;
    }
    out.flush()?;
    Ok(())
}

/// Shell commands with this in the places left for it. Those to a certificate need curl, sed, awk and openssl.
fn filled(commands: &str, url: &str, credential: &OteCredential) -> String {
    commands
        .replace("@URL@", url)
        .replace("@USERNAME@", &credential.username)
        .replace("@PASSWORD@", &credential.password)
        .trim_end()
        .to_owned()
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if !path.is_empty() && path.chars().all(is_plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_a_shell_would_take_them_apart() {
        for (path, word) in [
            ("/usr/bin/chancery", "/usr/bin/chancery"),
            ("/home/ann/my data", "'/home/ann/my data'"),
            ("/a;rm -rf /", "'/a;rm -rf /'"),
            ("/ann's", r"'/ann'\''s'"),
        ] {
            assert_eq!(quoted(Path::new(path)), word);
        }
    }
}
