//! `chancery job`.

use anyhow::Result;
use chancery_app::ListedJob;
use chancery_domain::orders::OrderId;
use serde_json::json;

use crate::arguments::JobCommand;
use crate::operators::{acting, operations};

pub(crate) async fn job(command: JobCommand) -> Result<()> {
    match command {
        JobCommand::List {
            state,
            order,
            limit,
            json,
            place,
        } => {
            let operations = operations(&place).await?;
            for job in operations.jobs(state, order.map(OrderId), limit).await? {
                print(&job, json);
            }
        }
        JobCommand::Show { id, json, place } => {
            print(&operations(&place).await?.job(id).await?, json);
        }
        JobCommand::Run {
            id,
            json,
            operator,
            place,
        } => {
            let operations = acting(&place, &operator).await?;
            operations.run_job_now(id).await?;
            match json {
                true => println!("{}", json!({ "jobId": id, "state": "due" })),
                false => println!("job {id} is due"),
            }
        }
        JobCommand::Retry {
            id,
            operator,
            place,
        } => {
            acting(&place, &operator).await?.retry_job(id).await?;
            println!("job {id} is due again");
        }
    }
    Ok(())
}

fn state(job: &ListedJob) -> &'static str {
    match (job.parked_at, &job.last_error) {
        (Some(_), _) => "parked",
        (None, Some(_)) => "failing",
        (None, None) if job.tries > 0 => "running",
        (None, None) => "waiting",
    }
}

fn print(job: &ListedJob, json: bool) {
    if json {
        let line = json!({
            "jobId": job.id.0,
            "kind": job.kind,
            "subject": job.subject,
            "orderId": job.order.map(|order| order.0),
            "state": state(job),
            "runAt": job.run_at.to_string(),
            "tries": job.tries,
            "createdAt": job.created_at.to_string(),
            "parkedAt": job.parked_at.map(|at| at.to_string()),
            "lastError": job.last_error,
        });
        println!("{line}");
        return;
    }
    let order = job.order.map(|order| format!("  order {order}"));
    let when = match job.parked_at {
        Some(at) => format!("parked {at}"),
        None => format!("{} until {}, try {}", state(job), job.run_at, job.tries),
    };
    let error = job.last_error.as_ref().map(|error| format!("  {error}"));
    println!(
        "{}  {} {}{}  {when}{}",
        job.id.0,
        job.kind,
        job.subject,
        order.unwrap_or_default(),
        error.unwrap_or_default()
    );
}
