//! Errors in the log, told apart by test.
//!
//! Tests of one process run side by side and share its subscriber. Each has a runtime of its own, and every
//! thread of that runtime knows whose it is.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// A test that takes longer than this hangs.
const TEST_LIMIT: Duration = Duration::from_secs(300);

/// The errors one test has logged.
#[derive(Clone, Default)]
pub struct Logs(Arc<Mutex<Vec<String>>>);

impl Logs {
    /// Takes what was logged so far, as a test does that provokes it.
    pub fn take_errors(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

thread_local! {
    static OWNER: RefCell<Option<Logs>> = const { RefCell::new(None) };
}

/// Runs a test on a runtime of its own, its errors caught.
pub fn run(test: impl AsyncFnOnce(Logs)) {
    run_within(TEST_LIMIT, test);
}

/// The same for a test that may take longer than others.
pub fn run_within(limit: Duration, test: impl AsyncFnOnce(Logs)) {
    static SUBSCRIBED: Once = Once::new();
    SUBSCRIBED.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(Catch);
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
    let logs = Logs::default();
    let own = |logs: &Logs| OWNER.set(Some(logs.clone()));
    own(&logs);
    let of_threads = logs.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // As the program has it.
        .thread_stack_size(8 * 1024 * 1024)
        .enable_all()
        .on_thread_start(move || own(&of_threads))
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(limit, test(logs))
            .await
            .unwrap_or_else(|_| panic!("the test did not end within {limit:?}"));
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
}

struct Catch;

impl<S: Subscriber> Layer<S> for Catch {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        OWNER.with_borrow(|owner| match owner {
            Some(logs) => logs.0.lock().unwrap().push(line.0),
            // A thread of nobody's, such as the database's own: shown with the output of a failed test.
            None => eprintln!("logged outside of any test: {}", line.0),
        });
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}
