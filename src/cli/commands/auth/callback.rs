//! Waits on this machine for the browser that comes back from the consent page.

use crate::api::auth::consent::{CallbackError, Question};
use crate::cli::exit::{Exit, Failure};
use secrecy::SecretString;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Bytes of a request that are read.
const MOST: usize = 16 * 1024;
/// How long a connection may say nothing; browsers open some ahead of need.
const IDLE: Duration = Duration::from_secs(30);

/// The code that the browser brings, within `patience`.
///
/// # Errors
/// When it brings none, or does not come.
pub(super) async fn wait(
    listener: TcpListener,
    question: &Arc<Question>,
    patience: Duration,
) -> Result<SecretString, Failure> {
    let (found, mut codes) = mpsc::channel(1);
    let asked = Arc::clone(question);
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (question, found) = (Arc::clone(&asked), found.clone());
            tokio::spawn(timeout(IDLE, async move {
                if let Ok(Some(code)) = serve(&stream, &question).await {
                    // the first answer counts
                    let _ = found.try_send(code);
                }
            }));
        }
    });
    let code = timeout(patience, codes.recv()).await;
    accepting.abort();
    match code {
        Ok(Some(Ok(code))) => Ok(code),
        Ok(Some(Err(error))) => Err(Failure::of(Exit::Input, &error)),
        Ok(None) | Err(_) => {
            let minutes = patience.as_secs().div_ceil(60);
            let message = format!(
                "nobody came back from the consent page within {minutes} minutes; nothing was stored"
            );
            Err(Failure::new(Exit::Input, message))
        }
    }
}

/// Answers one request; gives what it brings, if it is the browser's.
async fn serve(
    stream: &TcpStream,
    question: &Question,
) -> io::Result<Option<Result<SecretString, CallbackError>>> {
    let head = read_head(stream).await?;
    let target = head
        .strip_prefix("GET ")
        .and_then(|rest| rest.split(' ').next());
    let brought = target.and_then(|target| question.code(target));
    let (status, text) = match &brought {
        Some(Ok(_)) => (
            "200 OK",
            "csm-loader has the answer; how it goes on is said in the terminal.",
        ),
        Some(Err(_)) => (
            "400 Bad Request",
            "This is not the answer csm-loader waits for; see the terminal.",
        ),
        None => ("404 Not Found", "There is nothing here."),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}\n",
        text.len() + 1
    );
    write_all(stream, answer.as_bytes()).await?;
    Ok(brought)
}

async fn read_head(stream: &TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < MOST {
        stream.readable().await?;
        match stream.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => head.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::io::{Read, Write};
    use std::net::SocketAddr;

    /// Sends a request as a browser does, and gives the answer's first line.
    fn browse(address: SocketAddr, target: &str) -> String {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    async fn after(
        targets: &'static [&'static str],
    ) -> (Vec<String>, Result<SecretString, Failure>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let browser = std::thread::spawn(move || {
            // opened ahead of need, and silent
            let _silent = std::net::TcpStream::connect(address).unwrap();
            targets
                .iter()
                .map(|target| browse(address, target))
                .collect()
        });
        let question = Arc::new(Question::new("st4te".to_owned(), None, address.port()));
        let code = wait(listener, &question, Duration::from_mins(1)).await;
        (browser.join().unwrap(), code)
    }

    #[tokio::test]
    async fn the_browser_brings_the_code_and_nothing_else_counts() {
        let (lines, code) = after(&["/favicon.ico", "/callback?code=c&state=st4te"]).await;
        assert_eq!(lines, ["HTTP/1.1 404 Not Found", "HTTP/1.1 200 OK"]);
        assert_eq!(code.unwrap().expose_secret(), "c");
    }

    #[tokio::test]
    async fn a_refusal_or_a_forged_answer_ends_the_login() {
        let (lines, code) = after(&["/callback?error=access_denied&state=st4te"]).await;
        assert_eq!(lines, ["HTTP/1.1 400 Bad Request"]);
        insta::assert_snapshot!(code.unwrap_err(), @"the consent page answered: access_denied");
        let (_, code) = after(&["/callback?code=c&state=forged"]).await;
        insta::assert_snapshot!(code.unwrap_err(), @"an answer came that belongs to another login; nothing was exchanged. Start again, and use only the address that is shown then");
    }

    #[tokio::test]
    async fn nobody_is_waited_for_without_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let question = Arc::new(Question::new("st4te".to_owned(), None, 1));
        let code = wait(listener, &question, Duration::from_millis(5)).await;
        insta::assert_snapshot!(code.unwrap_err(), @"nobody came back from the consent page within 0 minutes; nothing was stored");
    }
}
