//! One SMTP connection, from the greeting to QUIT.

use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, empty,
};
use tokio::net::TcpStream;

use super::received::decode_base64;
use super::transaction::Envelope;
use super::{CERTIFICATES, Mode, Server, Tls};

pub type Answer = &'static str;

pub const OK: Answer = "250 2.0.0 OK";
pub const BAD_PARAMETERS: Answer = "501 5.5.4 Bad parameters";
const NOT_OFFERED: Answer = "502 5.5.1 Not offered";
pub const WRONG_ORDER: Answer = "503 5.5.1 Bad sequence of commands";

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub struct Session {
    stream: BufReader<Box<dyn Stream>>,
    pub server: Arc<Server>,
    pub number: usize,
    pub encrypted: bool,
    pub hello: Option<Hello>,
    pub logged_in: bool,
    pub mail: Option<Envelope>,
}

#[derive(PartialEq, Eq)]
pub enum Hello {
    Plain,
    Extended,
}

pub async fn serve(tcp: TcpStream, server: Arc<Server>, number: usize) {
    let mut session = Session {
        stream: BufReader::new(Box::new(tcp)),
        server,
        number,
        encrypted: false,
        hello: None,
        logged_in: false,
        mail: None,
    };
    // An error means that one side hung up.
    let _ = session.run().await;
}

impl Session {
    async fn run(&mut self) -> io::Result<()> {
        if self.server.options.tls == Tls::Implicit {
            self.encrypt().await?;
        }
        self.answer("220 localhost ESMTP").await?;
        loop {
            let line = self.line().await?;
            let Some(Ok(line)) = line.strip_suffix(b"\r\n").map(str::from_utf8) else {
                self.answer("500 5.5.2 Not a line of text that ends in CRLF")
                    .await?;
                continue;
            };
            let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
            let answer = match verb.to_ascii_uppercase().as_str() {
                "EHLO" => self.hello(Hello::Extended, rest),
                "HELO" => self.hello(Hello::Plain, rest),
                "STARTTLS" => match self.may_encrypt(rest) {
                    Ok(()) => {
                        self.answer("220 2.0.0 Go ahead").await?;
                        self.encrypt().await?;
                        continue;
                    }
                    Err(answer) => answer.into(),
                },
                "AUTH" => self.auth(rest).await?.into(),
                "MAIL" => self.mail(rest).into(),
                "RCPT" => self.rcpt(rest).into(),
                "DATA" => self.data(rest).await?.into(),
                "RSET" | "QUIT" if !rest.is_empty() => BAD_PARAMETERS.into(),
                "RSET" => {
                    self.mail = None;
                    OK.into()
                }
                "NOOP" => OK.into(),
                "VRFY" => "252 2.5.0 Send it and see".into(),
                "QUIT" => {
                    self.answer("221 2.0.0 Bye").await?;
                    return self.stream.shutdown().await;
                }
                _ => "500 5.5.1 Unknown command".into(),
            };
            self.answer(&answer).await?;
        }
    }

    pub async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).await?;
        match line.ends_with(b"\n") {
            true => Ok(line),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    pub async fn answer(&mut self, text: &str) -> io::Result<()> {
        match self.server.mode() {
            Mode::Silent => return self.ignore().await,
            Mode::Slow(time) => tokio::time::sleep(time).await,
            _ => {}
        }
        self.stream
            .write_all(format!("{text}\r\n").as_bytes())
            .await?;
        self.stream.flush().await
    }

    /// Says nothing until the client hangs up.
    async fn ignore(&mut self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        while self.stream.read(&mut buffer).await? > 0 {}
        Err(ErrorKind::UnexpectedEof.into())
    }

    fn hello(&mut self, hello: Hello, name: &str) -> Cow<'static, str> {
        if name.is_empty() || name.contains(' ') {
            return BAD_PARAMETERS.into();
        }
        self.mail = None;
        let mut lines = vec!["localhost"];
        if hello == Hello::Extended {
            lines.push("8BITMIME");
            if !self.server.options.ascii_only {
                lines.push("SMTPUTF8");
            }
            if self.server.options.tls == Tls::StartTls && !self.encrypted {
                lines.push("STARTTLS");
            } else if self.server.options.login.is_some() {
                lines.push("AUTH PLAIN LOGIN");
            }
        }
        self.hello = Some(hello);
        let last = lines.pop().unwrap();
        let first: String = lines.iter().map(|line| format!("250-{line}\r\n")).collect();
        format!("{first}250 {last}").into()
    }
}

/// TLS and login.
impl Session {
    fn may_encrypt(&self, rest: &str) -> Result<(), Answer> {
        if self.server.options.tls != Tls::StartTls {
            return Err(NOT_OFFERED);
        }
        if self.encrypted || self.hello != Some(Hello::Extended) {
            return Err(WRONG_ORDER);
        }
        // What follows in clear text may come from someone else (RFC 3207, section 6).
        match rest.is_empty() && self.stream.buffer().is_empty() {
            true => Ok(()),
            false => Err(BAD_PARAMETERS),
        }
    }

    /// After it, the client starts over with EHLO.
    async fn encrypt(&mut self) -> io::Result<()> {
        if self.server.mode() == Mode::Silent {
            return self.ignore().await;
        }
        let clear = std::mem::replace(&mut self.stream, BufReader::new(Box::new(empty())));
        let encrypted = CERTIFICATES.1.accept(clear.into_inner()).await?;
        self.stream = BufReader::new(Box::new(encrypted));
        self.encrypted = true;
        self.hello = None;
        self.mail = None;
        Ok(())
    }

    /// RFC 4954.
    async fn auth(&mut self, rest: &str) -> io::Result<Answer> {
        let Some((user, password)) = self.server.options.login else {
            return Ok(NOT_OFFERED);
        };
        if self.server.options.tls == Tls::StartTls && !self.encrypted {
            return Ok("538 5.7.11 Issue STARTTLS first");
        }
        let ready = self.hello == Some(Hello::Extended) && !self.logged_in && self.mail.is_none();
        if !ready {
            return Ok(WRONG_ORDER);
        }
        let (mechanism, first) = match rest.split_once(' ') {
            Some((mechanism, first)) => (mechanism, Some(first.to_owned())),
            None => (rest, None),
        };
        let given = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => self.ask("", first).await?,
            "LOGIN" => match self.ask("Username:", first).await? {
                Some(user) => {
                    let password = self.ask("Password:", None).await?;
                    password.map(|password| format!("\0{user}\0{password}"))
                }
                None => None,
            },
            _ => return Ok("504 5.5.4 Unknown mechanism"),
        };
        let Some(given) = given else {
            return Ok("501 5.5.2 Not base64");
        };
        let right = given == format!("\0{user}\0{password}");
        self.logged_in = right && self.server.mode() != Mode::RefuseLogin;
        Ok(match self.logged_in {
            true => "235 2.7.0 Welcome",
            false => "535 5.7.8 Wrong user or password",
        })
    }

    /// Asks for a part of the login, unless the client has given it already.
    async fn ask(&mut self, question: &str, given: Option<String>) -> io::Result<Option<String>> {
        let reply = match given {
            Some(given) => given,
            None => {
                let question = Base64Display::new(question.as_bytes(), &STANDARD);
                self.answer(&format!("334 {question}")).await?;
                String::from_utf8_lossy(&self.line().await?)
                    .trim_end()
                    .to_owned()
            }
        };
        Ok(decode_base64(&reply).and_then(|bytes| String::from_utf8(bytes).ok()))
    }
}
