using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging.Abstractions;
using Rcmp.DataPath;
using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;
using Rcmp.Runtime;
using Rcmp.Tests.DataPath;

namespace Rcmp.Tests.Regions;

/// <summary>A region with pages, a link, remote entries and a dead session in it, to be damaged, served and restored.</summary>
internal sealed class DamagedRack : IDisposable
{
    private const int Residents = 40;
    private const int Remotes = 10;

    /// <summary>The page whose records <see cref="UsedRecord"/> gives, and one that has nothing to do with them.</summary>
    private const ulong Damaged = 5;
    private const ulong Other = 30;
    private readonly byte[] _good;
    private readonly int _link;
    private readonly int _session;
    private readonly long _entry;

    public DamagedRack()
    {
        using (var daemon = Fixture.StartDaemon())
        {
            var roster = new RosterEntry(RegionFixture.Rack, Fixture.Layout.RegionId, new Generation(1), "akka.tcp://rcmp@127.0.0.1:4200", false);
            daemon.Store.SaveState(daemon.Store.State with { Rack = RegionFixture.Rack, SequenceReserved = 1000, Roster = [roster] });
            for (uint i = 1; i <= Residents; i++) daemon.MakeResident(new FrameIndex(i), Fixture.Page(i));
            var self = new RackIncarnation(RegionFixture.Rack, daemon.Store.State.Generation);
            var link = new LinkId(new RackIncarnation(new RackId(9), new Generation(4)), self, 1);
            _link = daemon.Store.TryPublishLink(new LinkRecord(1 << 14, link, Guid.NewGuid(), "tcp://127.0.0.1:9"));
            for (uint i = 1; i <= Remotes; i++) daemon.Store.TrySetLocation(new PageGeometry(4096).MakePage(new RackId(9), i), Location.Remote(_link, new FrameIndex(i), new Epoch(1)));
            _session = daemon.Sessions.TryAllocate(1)!.Index;
            _entry = daemon.Region.FindEntry(Fixture.Page(Damaged));
        }

        _good = Fixture.Read(0, (int)Fixture.Layout.FramesOffset);
    }

    public RegionFixture Fixture { get; } = new();

    /// <summary>What a check says after the last start.</summary>
    public IReadOnlyList<string> NotesAfterStart { get; private set; } = [];

    /// <summary>Where a table's used part is; the whole of it for what has no unused part.</summary>
    public (long Offset, long Bytes) Table(string name)
    {
        var layout = Fixture.Layout;
        return name switch
        {
            "states" => (layout.StateOffset, 2L * RegionLayout.StateBytes),
            "links" => (layout.LinkTableOffset, 2 * RegionLayout.LinkBytes),
            "page table" => (layout.PageTableOffset, layout.PageTableEntries * RegionLayout.PageTableEntryBytes),
            "hit table" => (layout.HitTableOffset, layout.PageTableEntries * RegionLayout.HitWordBytes),
            "frame table" => (layout.FrameTableOffset, (Residents + 5) * FrameRow.SizeBytes),
            "sessions" => (layout.SessionsOffset, layout.SessionCount * layout.SessionBytes),
            _ => (layout.CountersOffset, layout.FramesOffset - layout.CountersOffset),
        };
    }

    /// <summary>One record that is in use, as the region has it: of the pages, that of page 5.</summary>
    public (long Offset, int Bytes) UsedRecord(string name)
    {
        var layout = Fixture.Layout;
        var session = layout.SessionsOffset + _session * layout.SessionBytes;
        return name switch
        {
            "state header" => (layout.StateOffset, 24),
            "link record" => (layout.LinkTableOffset + _link * RegionLayout.LinkBytes, RegionLayout.LinkBytes),
            "page-table entry" => (layout.PageTableOffset + _entry * RegionLayout.PageTableEntryBytes, RegionLayout.PageTableEntryBytes),
            "hit word" => (layout.HitTableOffset + _entry * RegionLayout.HitWordBytes, RegionLayout.HitWordBytes),
            "frame row" => (layout.FrameTableOffset + (long)Damaged * FrameRow.SizeBytes, FrameRow.SizeBytes),
            "session record" => (session, RegionLayout.SessionHeaderBytes),
            "guard slot" => (session + RegionLayout.SessionHeaderBytes, RegionLayout.SlotBytes),
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, null),
        };
    }

    /// <summary>The dead client was at work on page 5 when it died.</summary>
    public void LeaveGuard()
    {
        Fixture.Write(UsedRecord("session record").Offset + Marshal.OffsetOf<SessionHeader>(nameof(SessionHeader.SlotsUsed)).ToInt64(), BitConverter.GetBytes(1u));
        Fixture.Write(UsedRecord("guard slot").Offset, MemoryMarshal.AsBytes(new[] { new GuardSlot { Page = Fixture.Page(Damaged).Value, Hits = 3, RemoteEnded = 2 } }.AsSpan()));
    }

    /// <summary>A few bits, a few bytes, a run of zeros, ones or anything, or one part copied over another.</summary>
    public void Damage(long offset, long bytes, Random random)
    {
        // Most of a page table and of a state is unused: every other hit is near the start, or near an entry that is used.
        long At() => offset + (random.Next(2) == 0 ? random.NextInt64(Math.Min(bytes, 4096)) : random.NextInt64(bytes));
        switch (random.Next(4))
        {
            case 0:
                for (var flips = random.Next(1, 9); flips > 0; flips--) Fixture.Flip(At(), (byte)(1 << random.Next(8)));
                break;
            case 1:
                Fixture.Write(At(), [(byte)random.Next(256)]);
                break;
            case 2:
                var run = new byte[random.Next(1, 2048)];
                if (random.Next(3) is var kind and < 2) Array.Fill(run, (byte)(kind == 0 ? 0 : 255));
                else random.NextBytes(run);
                var at = At();
                Fixture.Write(at, run.AsSpan(0, (int)Math.Min(run.Length, offset + bytes - at)));
                break;
            default:
                var length = (int)Math.Min(bytes / 2, 64 * random.Next(1, 9));
                var from = offset + random.NextInt64((bytes - length) / 16 + 1) * 16;
                Fixture.Write(offset + random.NextInt64((bytes - length) / 16 + 1) * 16, Fixture.Read(from, length));
                break;
        }
    }

    public void Restore() => Fixture.Write(0, _good);

    /// <summary>Opens the region: 0 as an inspector does, 1 as a client, 2 as the daemon.</summary>
    public void Open(int role)
    {
        switch (role)
        {
            case 0:
                RegionInspector.Inspect(Fixture.Path);
                break;
            case 1:
                Region.OpenClient(Fixture.Path, RegionExpectations.Any).Dispose();
                break;
            default:
                using (var region = Region.OpenDaemon(Fixture.Path, RegionExpectations.Any with { LockWait = TimeSpan.Zero })) _ = new RegionStore(region);
                break;
        }
    }

    /// <summary>The whole daemon but its transport, until it has dealt with what it found.</summary>
    public void Start() => Start(static _ => { });

    /// <summary>Starts the daemon, and reads and writes through a client of it: a page that is not damaged, and the one that is unless its row is.</summary>
    public void Serve(bool both) => Start(host =>
    {
        using var pool = PoolClient.Open(
            host.OpenSession(new SessionRequest(Fixture.PoolId, "served", Environment.ProcessId, RegionLayout.FormatVersion)), new FakeControlPlane(), new NativeFabric(), new PoolClientOptions());
        foreach (var page in both ? (ulong[])[Damaged, Other] : [Other])
        {
            var address = new PageGeometry(4096).AddressOf(Fixture.Page(page), 64);
            pool.Write(address, 77 + page);
            Assert.Equal(77 + page, pool.Read<ulong>(address));
            Assert.Equal(77 + page, BitConverter.ToUInt64(Fixture.Read(Fixture.Layout.FramesOffset + (long)page * 4096 + 64, 8)));
        }
    });

    private void Start(Action<RackHost> use)
    {
        var settings = new PoolSettings(Fixture.PoolId, 4096, 4, RegionLayout.FormatVersion);
        var options = new RackHostOptions
        {
            RegionPath = Fixture.Path,
            RuntimeDirectory = Fixture.RuntimeDirectory,
            FabricAddress = $"local://damaged-{Guid.NewGuid():n}",
            SessionPoll = TimeSpan.FromMilliseconds(1),
            Core = new RackCoreOptions { Settings = settings, RegionId = Fixture.Layout.RegionId },
        };
        using var host = RackHost.Start(options, new NativeFabric(), NullLogger.Instance);
        var transport = new DeafTransport();
        host.Attach(transport);
        Assert.True(host.StatusAsync().Wait(TimeSpan.FromSeconds(10)), "no status");
        Assert.Null(transport.FatalError);
        // A check of a region in use looks again at what does not last; the host has done its repairs before it answers.
        NotesAfterStart = RegionInspector.Check(Fixture.Path).Findings;
        use(host);
    }

    public void Dispose() => Fixture.Dispose();

    private sealed class DeafTransport : IRackTransport
    {
        public string? FatalError { get; private set; }

        public string NodeAddress => "akka.tcp://rcmp@127.0.0.1:4200";

        public void ToShard(ShardId shard, IPoolProtocol message)
        {
        }

        public void ToRack(RackId rack, IPoolProtocol message)
        {
        }

        public void ToMaster(IPoolProtocol message)
        {
        }

        public void ToSession(SessionToken session, IPoolProtocol message)
        {
        }

        public void RosterKnown(RosterChanged roster)
        {
        }

        public void Fatal(string message) => FatalError = message;
    }
}
