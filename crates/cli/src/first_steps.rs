//! What the server prints when it is ready: where it is, and what to do next.

use std::io::Write;

use anyhow::Result;
use chancery_server::config::Config;
use chancery_server::{OteCredential, Server};

/// Prints the address and, in OTE mode, the way from nothing to a certificate.
pub(crate) fn print(config: &Config, server: &Server) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let url = format!("http://{}", server.address);
    writeln!(out, "Chancery listens on {url}")?;
    writeln!(out, "Its data is in      {}", config.data.display())?;
    if let (Some(credential), Some([dns, web, mail])) =
        (&server.credential, server.world_addresses())
    {
        writeln!(
            out,
            "Its world:          DNS on {dns}, web on {web}, mail on {mail}"
        )?;
        writeln!(out, "User name:          {}", credential.username)?;
        writeln!(out, "Secret:             {}", credential.password)?;
        writeln!(
            out,
            "\nFrom an order to a certificate, to paste into another shell:\n"
        )?;
        writeln!(out, "{}", commands(config, &url, credential)?)?;
        let program = std::env::current_exe()?;
        let data = config.data.display();
        writeln!(
            out,
            "\nThe same in one: {} demo --url {url} --data {data}",
            program.display()
        )?;
    }
    out.flush()?;
    Ok(())
}

/// Shell commands that carry an order to a certificate. They need curl, sed, awk and openssl.
fn commands(config: &Config, url: &str, credential: &OteCredential) -> Result<String> {
    let program = std::env::current_exe()?;
    let data = std::path::absolute(&config.data)?;
    let mut place = format!("--data '{}'", data.display());
    if let Some(database) = &config.database {
        place = format!("{place} --database '{database}'");
    }
    Ok(include_str!("first_steps.sh")
        .replace("@PROGRAM@", &program.display().to_string())
        .replace("@PLACE@", &place)
        .replace("@URL@", url)
        .replace("@USERNAME@", &credential.username)
        .replace("@PASSWORD@", &credential.password)
        .trim_end()
        .to_owned())
}
