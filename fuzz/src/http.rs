//! Bytes as what a client sends to our server, and as what a server sends to our client: however they are
//! cut into pieces, the same comes of them; and what a request can cause is bounded.

use http::client::{Malformed, Progress, Reader, Response};
use http::server::{Next, Session, Sink, Site};

/// The most that is answered to one octet: an error that nothing follows, or a resource that takes more
/// octets to ask for than this is long.
const BODY: usize = 100;

/// The first byte chooses the side and how requests are answered, the second how long pieces are.
pub fn run(data: &[u8]) {
    let Some(([side, piece], bytes)) = data.split_first_chunk::<2>() else {
        return;
    };
    let piece = usize::from(*piece) + 1;
    if side & 1 == 0 {
        let site = Site::of_size(BODY);
        let client_closes = side & 2 != 0;
        let whole = serve(&site, client_closes, bytes, bytes.len().max(1));
        assert_eq!(serve(&site, client_closes, bytes, piece), whole);
        assert!(whole.0.len() <= 400 + bytes.len() * (400 + BODY) / 16);
    } else {
        let to_head = side & 2 != 0;
        let whole = read(to_head, bytes, bytes.len().max(1));
        let cut = read(to_head, bytes, piece);
        assert_eq!(cut, whole);
    }
}

struct Room(Vec<u8>);

impl Sink for Room {
    fn send(&mut self, bytes: &[u8]) -> usize {
        self.0.extend_from_slice(bytes);
        bytes.len()
    }
}

/// What the server answers, and what it needs in the end. All ends are one: which it is depends on whether more than
/// the last request has come by then.
fn serve(site: &Site, client_closes: bool, bytes: &[u8], piece: usize) -> (Vec<u8>, Next) {
    let (mut session, mut room) = (Session::new(), Room(Vec::new()));
    let (mut held, mut next) = (Vec::new(), Next::Read);
    for piece in bytes.chunks(piece) {
        held.extend_from_slice(piece);
        let (used, then) = session.on_data(site, client_closes, &held, &mut room);
        held.drain(..used);
        next = then;
        match next {
            Next::Read => {}
            Next::Write => panic!("there is room"),
            Next::Close | Next::Linger | Next::AwaitClose => {
                next = Next::Close;
                break;
            }
        }
    }
    // What is held is the beginning of a head, and no longer than one.
    assert!(next != Next::Read || held.len() <= http::MAX_HEAD);
    (room.0, next)
}

/// The responses, all their content, and what was wrong.
type Answers = (Vec<Response>, Vec<u8>, Option<Malformed>);

fn read(to_head: bool, bytes: &[u8], piece: usize) -> Answers {
    let mut reader = Reader::default();
    let (mut responses, mut content, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        held.extend_from_slice(piece);
        loop {
            let progress = reader.read(to_head, &held, |piece| content.extend_from_slice(piece));
            match progress {
                Err(wrong) => return (responses, content, Some(wrong)),
                Ok(Progress::More(used)) => {
                    held.drain(..used);
                    break;
                }
                Ok(Progress::Done(used, response)) => {
                    assert!(used > 0, "a response of nothing");
                    held.drain(..used);
                    responses.push(response);
                }
            }
        }
    }
    (responses, content, reader.end().err())
}
