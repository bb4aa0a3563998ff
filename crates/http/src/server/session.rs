//! One connection of the server: what it reads, what it still has to send, and how it ends.

use super::request::{Body, Parsed, Persistence, Request, parse};
use super::response::{Reply, SCRATCH, Site, Status};
use crate::chunked::Decoder;

/// Where bytes of responses go.
pub trait Sink {
    /// Takes as much of `bytes` as there is room for, and says how much.
    fn send(&mut self, bytes: &[u8]) -> usize;

    /// A response with this status code has been taken whole.
    fn answered(&mut self, _status: u16) {}
}

/// What the connection needs next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Further bytes; the ones not consumed, too, belong to the beginning of a request.
    Read,
    /// Room to send: nothing is read until [`Session::on_writable`].
    Write,
    /// Everything is said and everything was read: close.
    Close,
    /// Everything is said, but the client may still be sending: a close now could reset the
    /// connection before the client has read the answer (RFC 9112 9.6). Close the sending side, go
    /// on reading, and close when the client has or after a while.
    Linger,
    /// Everything is said: the client is to close first; see that it does.
    AwaitClose,
}

/// What comes next from the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Input {
    /// A request's head.
    Head,
    /// So many bytes of a body.
    Body { left: u64 },
    /// A chunked body.
    Chunked(Decoder),
    /// Nothing that matters.
    Discard,
}

/// A response being sent: which one, and how far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Output {
    reply: Reply,
    sent: usize,
}

/// The state of one connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Session {
    input: Input,
    output: Option<Output>,
    /// What the request gets when its body is in.
    reply: Reply,
    persistence: Persistence,
    ending: Ending,
    /// The request could not be understood, so neither can what follows it.
    lost: bool,
    /// Bytes were not consumed when sending got stuck.
    held: bool,
    peer_closed: bool,
    /// No further request will be answered than the one at hand.
    draining: bool,
}

/// How far the end of the connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    /// A further request may come.
    No,
    /// The last response was handed over.
    Due,
    /// And the caller was told.
    Told,
}

impl Default for Session {
    fn default() -> Session {
        Session::new()
    }
}

impl Session {
    /// A connection that was just opened.
    #[must_use]
    pub const fn new() -> Session {
        Session {
            input: Input::Head,
            output: None,
            reply: Reply::Continue,
            persistence: Persistence::KeepAlive,
            ending: Ending::No,
            lost: false,
            held: false,
            peer_closed: false,
            draining: false,
        }
    }

    /// Takes bytes from the client and sends what they ask for. Returns how many were consumed;
    /// the rest is to be shown again together with what follows. `client_closes`: the server
    /// leaves the first FIN to the client.
    pub fn on_data(
        &mut self,
        site: &Site,
        client_closes: bool,
        data: &[u8],
        sink: &mut impl Sink,
    ) -> (usize, Next) {
        let mut used = 0;
        loop {
            let rest = &data[used..];
            self.held = !rest.is_empty();
            if !self.flush(site, sink) {
                return (used, Next::Write);
            }
            if let Some(end) = self.end(client_closes) {
                return (data.len(), end);
            }
            if rest.is_empty() {
                return (used, Next::Read);
            }
            match self.input {
                Input::Head => match parse(rest) {
                    Parsed::Incomplete => return (used, Next::Read),
                    Parsed::Request(request) => {
                        used += request.len;
                        self.begin(site, &request);
                    }
                    Parsed::Bad(status) => self.give_up(status),
                },
                Input::Body { left } => {
                    let here = left.min(rest.len() as u64);
                    used += here as usize;
                    self.received(&rest[..here as usize]);
                    self.input = Input::Body { left: left - here };
                    if here == left {
                        self.answer();
                    }
                }
                Input::Chunked(mut decoder) => match decoder.advance(rest, |c| self.received(c)) {
                    Ok(progress) => {
                        used += progress.used;
                        self.input = Input::Chunked(decoder);
                        if progress.done {
                            self.answer();
                        }
                    }
                    Err(_) => self.give_up(Status::BadRequest),
                },
                Input::Discard => return (data.len(), Next::Read),
            }
        }
    }

    /// There is room to send again. [`Next::Read`] then means that bytes held back want to be
    /// shown again.
    pub fn on_writable(&mut self, site: &Site, client_closes: bool, sink: &mut impl Sink) -> Next {
        if !self.flush(site, sink) {
            return Next::Write;
        }
        match self.end(client_closes) {
            Some(end) => end,
            None if self.peer_closed => Next::Close,
            None => Next::Read,
        }
    }

    /// The client sends nothing more, and everything that it sent was consumed.
    pub fn on_peer_closed(&mut self) -> Next {
        self.peer_closed = true;
        match self.output {
            Some(_) => Next::Write,
            None => Next::Close,
        }
    }

    /// The server is about to end: the request at hand, or the one that comes next, is the last.
    /// [`Next::Close`] if there is none at hand, and if the close was left to the client.
    pub fn drain(&mut self) -> Next {
        self.draining = true;
        match self.output {
            // The head, of which a part is sent, says what it says.
            Some(Output { sent: 1.., .. }) => Next::Write,
            Some(output) => {
                self.start(output.reply);
                Next::Write
            }
            None if self.held || self.lost => Next::Read,
            None if self.input == Input::Head || self.is_over() => Next::Close,
            None => Next::Read,
        }
    }

    /// Whether everything was said: what the client still sends does not matter.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ending == Ending::Told
    }

    fn begin(&mut self, site: &Site, request: &Request<'_>) {
        self.persistence = request.persistence;
        self.reply = site.reply(request);
        self.input = match request.body {
            Body::Length(left) => Input::Body { left },
            Body::Chunked => Input::Chunked(Decoder::new()),
        };
        if request.body == Body::Length(0) {
            self.answer();
        } else if request.expects_continue {
            match self.reply {
                //= RFC 9110 10.1.1
                //# A server MAY omit sending a 100 (Continue) response if it has already received
                //# some or all of the content for the corresponding request
                Reply::Error { status, .. } => self.give_up(status),
                _ => self.start(Reply::Continue),
            }
        }
    }

    fn received(&mut self, content: &[u8]) {
        if let Reply::Received(upload) = &mut self.reply {
            upload.add(content);
        }
    }

    /// The request is complete: its response begins.
    fn answer(&mut self) {
        self.input = Input::Head;
        self.start(self.reply);
    }

    /// Answers with an error after which nothing can be read as a request.
    fn give_up(&mut self, status: Status) {
        self.persistence = Persistence::Close;
        self.lost = true;
        self.start(Reply::Error {
            status,
            head_only: false,
        });
    }

    fn start(&mut self, reply: Reply) {
        if self.draining {
            //= RFC 9112 9.6
            //# The server SHOULD send a "close" connection option in its final
            //# response on that connection.
            self.persistence = Persistence::Close;
        }
        self.output = Some(Output { reply, sent: 0 });
    }

    /// Sends what there is room for. Whether nothing is left to send.
    fn flush(&mut self, site: &Site, sink: &mut impl Sink) -> bool {
        let Some(output) = &mut self.output else {
            return true;
        };
        let mut scratch = [0; SCRATCH];
        let (head, body) = site.render(output.reply, self.persistence, &mut scratch);
        for (begin, piece) in [(0, head), (head.len(), body)] {
            let skip = output.sent.saturating_sub(begin);
            if let Some(rest) = piece.get(skip..)
                && !rest.is_empty()
            {
                let taken = sink.send(rest).min(rest.len());
                output.sent += taken;
                if taken < rest.len() {
                    return false;
                }
            }
        }
        let closes = self.draining || self.persistence == Persistence::Close;
        let last = output.reply != Reply::Continue && closes;
        if let Some(status) = output.reply.status() {
            sink.answered(status);
        }
        self.output = None;
        if last {
            self.input = Input::Discard;
            self.ending = Ending::Due;
        }
        true
    }

    /// How to end the connection, once, when that is due.
    fn end(&mut self, client_closes: bool) -> Option<Next> {
        if self.ending != Ending::Due {
            return None;
        }
        self.ending = Ending::Told;
        Some(if self.peer_closed {
            Next::Close
        } else if self.lost || self.held {
            Next::Linger
        } else if client_closes && !self.draining {
            Next::AwaitClose
        } else {
            Next::Close
        })
    }
}

#[cfg(test)]
mod tests;
