//! Reads, repeated while that may help.

use crate::engine::context::{Context, Tries};
use crate::model::reply::ApiError;

/// As [`Context::repeat`], of a closure that gives its future: one that is async itself cannot be sent to another thread
/// along with what it borrows.
///
/// # Errors
/// The last error, when repeating does not help (any more).
pub(super) async fn ask<T, A>(
    context: &Context,
    stage: u32,
    call: impl Fn() -> A,
) -> Result<T, ApiError>
where
    A: Future<Output = Result<T, ApiError>>,
{
    let mut tries = Tries::default();
    loop {
        match call().await {
            Ok(answer) => {
                context.succeeded();
                return Ok(answer);
            }
            Err(error) if context.again(stage, &mut tries, &error).await => {}
            Err(error) => return Err(error),
        }
    }
}
