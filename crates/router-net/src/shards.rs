//! All shards as the link sees them: which one a request goes to, and what concerns them all.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tertulia_router_core::{
    DropCause, Dropped, Event, Listing, ShardIndex, ShardMessage, ShardStatistics, TransportId,
    TransportInfo, TransportState,
};

use crate::doorbell::Doorbell;
use crate::link::message::{Refusal, Reply, Request};
use crate::link::{self, Link, Outbox};
use crate::placement::Placement;
use crate::steering::{Instruction, Steering};
use crate::tcp::{Arrival, DoorMail};

/// What a shard thread is sent by others than its sockets.
pub enum Mail {
    /// A shard tells something.
    Message(ShardIndex, ShardMessage),
    /// A TCP connection that is for this shard.
    Arrival(Arrival),
}

/// A request for a shard thread.
pub enum Job {
    /// To be answered by this shard alone.
    Request {
        /// To be repeated in the reply.
        id: u64,
        /// What is asked.
        request: Request,
        /// Of the connection that asked; the reply goes there.
        outbox: Arc<Outbox>,
    },
    /// To be answered by all shards together.
    List(Arc<Gathering>),
}

/// A listing that every shard adds its transports to.
pub struct Gathering {
    id: u64,
    outbox: Arc<Outbox>,
    missing: Mutex<(usize, Vec<TransportInfo>)>,
}

/// How to reach one shard.
#[derive(Clone)]
pub struct Address {
    /// Requests; the sender waits while it is full, and with it control.
    pub jobs: SyncSender<Job>,
    /// What must not be lost; who cannot deliver it keeps it.
    pub mail: SyncSender<Mail>,
    /// Rung afterwards.
    pub bell: Arc<Doorbell>,
}

/// How to reach the door.
#[derive(Clone)]
pub struct DoorAddress {
    /// Which user names there are.
    pub mail: SyncSender<DoorMail>,
    /// Rung afterwards.
    pub bell: Arc<Doorbell>,
    /// Connections that it refused.
    pub refused: Arc<AtomicU64>,
}

/// What the threads of the router have in common. Nothing here is on the way of a packet.
pub struct Shards {
    addresses: Vec<Address>,
    door: DoorAddress,
    placement: Mutex<Placement>,
    steering: Mutex<Steering>,
    statistics: Vec<Mutex<ShardStatistics>>,
}

impl Shards {
    /// The shards at these addresses, by index.
    #[must_use]
    pub fn new(
        addresses: Vec<Address>,
        door: DoorAddress,
        placement: Placement,
        steering: Steering,
    ) -> Self {
        let statistics = (0..)
            .take(addresses.len())
            .map(|shard| Mutex::new(ShardStatistics { shard, ..ShardStatistics::default() }));
        let statistics = statistics.collect();
        let (placement, steering) = (Mutex::new(placement), Mutex::new(steering));
        Self { addresses, door, placement, steering, statistics }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.addresses.len()
    }

    /// Gives a request to the shard that it is for. Waits while that shard has too many.
    pub fn dispatch(&self, id: u64, request: Request, outbox: &Arc<Outbox>) -> io::Result<()> {
        let outbox = Arc::clone(outbox);
        let shard = match &request {
            Request::OpenTransport(open) => {
                let placed = lock(&self.placement).place(open.group.as_deref());
                let Some(shard) = placed else {
                    let message = "The router serves no more transports; use another router.";
                    let refusal = Refusal::new("limit_reached", message);
                    link::answer(&outbox, id, &Err(refusal));
                    return Ok(());
                };
                shard
            }
            Request::Renegotiate(r) => self.shard_of(r.transport),
            Request::CloseTransport(r) => self.shard_of(r.transport),
            Request::Bind(r) => self.shard_of(r.transport),
            Request::Unbind(r) => self.shard_of(r.transport),
            Request::Pause(r) => self.shard_of(r.transport),
            Request::Prefer(r) => self.shard_of(r.transport),
            Request::SetAudioSlots(r) => self.shard_of(r.transport),
            Request::RequestKeyFrame(r) => self.shard_of(r.transport),
            Request::List => return self.list(id, outbox),
            Request::Hello(_) => {
                let message = "hello is answered by the link";
                link::answer(&outbox, id, &Err(Refusal::new("invalid_request", message)));
                return Ok(());
            }
        };
        self.send(shard, Job::Request { id, request, outbox })
    }

    /// A shard that does not exist has no transport either; the first one says so.
    fn shard_of(&self, id: TransportId) -> ShardIndex {
        let shard = id.shard();
        if usize::from(shard.0) < self.addresses.len() { shard } else { ShardIndex(0) }
    }

    fn list(&self, id: u64, outbox: Arc<Outbox>) -> io::Result<()> {
        let missing = Mutex::new((self.addresses.len(), Vec::new()));
        let gathering = Arc::new(Gathering { id, outbox, missing });
        for shard in 0..self.addresses.len() {
            self.send(ShardIndex(shard as u16), Job::List(Arc::clone(&gathering)))?;
        }
        Ok(())
    }

    fn send(&self, shard: ShardIndex, job: Job) -> io::Result<()> {
        let address = self.addresses.get(usize::from(shard.0)).ok_or(io::ErrorKind::NotFound)?;
        address.jobs.send(job).map_err(|_| io::ErrorKind::BrokenPipe)?;
        address.bell.ring()
    }

    /// One shard's part of a listing. The last one answers; what has ended meanwhile is left out, as
    /// its end was told before.
    pub fn gather(&self, gathering: &Gathering, listing: Listing) {
        let transports = {
            let mut missing = lock(&gathering.missing);
            missing.0 -= 1;
            missing.1.extend(listing.transports);
            if missing.0 > 0 {
                return;
            }
            std::mem::take(&mut missing.1)
        };
        // Nothing ends between the question and the answer: see `report`.
        let placement = lock(&self.placement);
        let mut transports: Vec<_> =
            transports.into_iter().filter(|t| placement.contains(t.transport)).collect();
        transports.sort_unstable_by_key(|t| t.transport);
        let reply = Reply::Listing(Listing { transports });
        link::answer(&gathering.outbox, gathering.id, &Ok(reply));
    }

    /// A shard opened a transport that was placed on it.
    pub fn opened(&self, id: TransportId, group: Option<String>) {
        lock(&self.placement).opened(id, group);
    }

    /// A shard refused one.
    pub fn not_opened(&self, shard: ShardIndex, group: Option<&str>) {
        lock(&self.placement).not_opened(shard, group);
    }

    /// Tells control what happened on a shard.
    pub fn report(&self, link: &Link, events: Vec<Event>) {
        let ended: Vec<_> = events.iter().filter_map(ended_transport).collect();
        if ended.is_empty() {
            link.send_events(events);
            return;
        }
        let mut placement = lock(&self.placement);
        for id in ended {
            placement.ended(id);
        }
        link.send_events(events);
    }

    /// What a shard tells another may say whose a peer is.
    pub fn note(&self, from: ShardIndex, message: &ShardMessage) {
        // Most say something else, and are not worth a lock.
        if Steering::is_told_by(message) {
            lock(&self.steering).note(from, message);
        }
    }

    /// Programs that the kernel does not have yet, by socket.
    #[must_use]
    pub fn changed_programs(&self) -> Vec<(usize, Vec<Instruction>)> {
        lock(&self.steering).changed()
    }

    /// The kernel did not take a socket's program.
    pub fn refused_program(&self, socket: usize) {
        lock(&self.steering).refused(socket);
    }

    /// Gives a message to a shard. If its mailbox is full, the message comes back.
    pub fn post(&self, to: usize, mail: Mail) -> Result<(), Mail> {
        let Some(address) = self.addresses.get(to) else {
            return Ok(());
        };
        match address.mail.try_send(mail) {
            Err(TrySendError::Full(mail)) => Err(mail),
            // A shard that has ended ends the program.
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
        }
    }

    /// The same for the door.
    pub fn post_to_door(&self, mail: DoorMail) -> Result<(), DoorMail> {
        match self.door.mail.try_send(mail) {
            Err(TrySendError::Full(mail)) => Err(mail),
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
        }
    }

    /// Wakes a shard that was given something.
    pub fn ring(&self, shard: usize) -> io::Result<()> {
        self.addresses.get(shard).map_or(Ok(()), |address| address.bell.ring())
    }

    /// Wakes the door.
    pub fn ring_door(&self) -> io::Result<()> {
        self.door.bell.ring()
    }

    /// Notes what a shard has counted.
    pub fn set_statistics(&self, shard: ShardIndex, statistics: ShardStatistics) {
        if let Some(place) = self.statistics.get(usize::from(shard.0)) {
            *lock(place) = statistics;
        }
    }

    /// What all shards have counted, each as of its last report. Connections that the door refused
    /// are counted with the first.
    #[must_use]
    pub fn statistics(&self) -> Vec<ShardStatistics> {
        let mut shards: Vec<_> = self.statistics.iter().map(|s| lock(s).clone()).collect();
        let count = self.door.refused.load(Ordering::Relaxed);
        if let (Some(first), true) = (shards.first_mut(), count > 0) {
            first.drops.push(Dropped { cause: DropCause::TcpRefused, count });
        }
        shards
    }
}

fn ended_transport(event: &Event) -> Option<TransportId> {
    match event {
        Event::TransportState {
            transport,
            state: TransportState::Failed | TransportState::Closed,
            ..
        } => Some(*transport),
        _ => None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
