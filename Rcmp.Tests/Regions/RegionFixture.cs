using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using Rcmp.Native;
using Rcmp.Regions;

namespace Rcmp.Tests.Regions;

/// <summary>A region in /dev/shm and a folder for session files; both are gone afterwards.</summary>
internal sealed class RegionFixture : IDisposable
{
    public const long SizeBytes = 16 << 20;
    public static readonly RackId Rack = new(7);
    private readonly List<IDisposable> _open = [];

    public RegionFixture(long sizeBytes = SizeBytes, int pageSizeBytes = 4096, int sessions = 0, int slots = 0)
    {
        var name = $"rcmp-test-{Guid.NewGuid():n}";
        Path = System.IO.Path.Combine("/dev/shm", name);
        RuntimeDirectory = System.IO.Path.Combine(System.IO.Path.GetTempPath(), name);
        PoolId = Guid.NewGuid();
        Layout = Region.Create(Path, new RegionCreateOptions
        {
            PoolId = PoolId, SizeBytes = sizeBytes, PageSizeBytes = pageSizeBytes, SessionCount = sessions, SlotsPerSession = slots,
        });
    }

    public string Path { get; }

    public string RuntimeDirectory { get; }

    public Guid PoolId { get; }

    public RegionLayout Layout { get; }

    public Region OpenDaemon() => Keep(Region.OpenDaemon(Path, RegionExpectations.Any with { LockWait = TimeSpan.Zero }));

    public Region OpenClient() => Keep(Region.OpenClient(Path, new RegionExpectations(PoolId)));

    public Daemon StartDaemon(bool fencesOnly = false) => Keep(new Daemon(this, fencesOnly));

    public ClientSession OpenSession(Daemon daemon, Region client)
    {
        var record = daemon.Sessions.TryAllocate((uint)Environment.ProcessId) ?? throw new InvalidOperationException("no session record");
        return Keep(ClientSession.Open(client, record.Index, record.Token, record.LockPath));
    }

    public T Keep<T>(T disposable)
        where T : IDisposable
    {
        _open.Add(disposable);
        return disposable;
    }

    /// <summary>Inverts bits of a byte of the region's file.</summary>
    public void Flip(long offset, byte mask)
    {
        var value = Read(offset, 1);
        value[0] ^= mask;
        Write(offset, value);
    }

    public byte[] Read(long offset, int length)
    {
        using var file = OpenUnlocked(out var handle);
        var bytes = new byte[length];
        using (handle)
            RandomAccess.Read(handle, bytes, offset);
        return bytes;
    }

    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        using var file = OpenUnlocked(out var handle);
        using (handle)
            RandomAccess.Write(handle, bytes, offset);
    }

    // File.OpenHandle would take a lock of its own, and the daemon has it.
    private SystemCalls.FileDescriptor OpenUnlocked(out SafeFileHandle handle)
    {
        var file = SystemCalls.FileDescriptor.TryOpen(Path, true, false, out _)!;
        handle = new SafeFileHandle(file.Number, false);
        return file;
    }

    public PageId Page(ulong sequence) => new PageGeometry(Layout.PageSize).MakePage(Rack, sequence);

    /// <summary>A process that holds a file's lock until it is killed.</summary>
    public async Task<Process> LockInAnotherProcessAsync(string path)
    {
        var start = new ProcessStartInfo("bash", ["-c", $"exec 9<>'{path}'; flock 9 && echo locked; exec 2>&-; exec sleep 60"]) { RedirectStandardOutput = true };
        var process = Process.Start(start)!;
        Keep(new Killed(process));
        Assert.Equal("locked", await process.StandardOutput.ReadLineAsync());
        return process;
    }

    public void Dispose()
    {
        for (var i = _open.Count - 1; i >= 0; i--)
            _open[i].Dispose();
        File.Delete(Path);
        if (Directory.Exists(RuntimeDirectory))
            Directory.Delete(RuntimeDirectory, true);
    }

    internal sealed class Killed(Process process) : IDisposable
    {
        public void Dispose()
        {
            if (!process.HasExited)
                process.Kill();
            process.Dispose();
        }
    }

    /// <summary>What a daemon has of a region, without its state machine.</summary>
    internal sealed class Daemon : IDisposable
    {
        public Daemon(RegionFixture fixture, bool fencesOnly)
        {
            Region = Region.OpenDaemon(fixture.Path, RegionExpectations.Any with { LockWait = TimeSpan.Zero });
            try
            {
                Guards = new GuardTable(Region, fencesOnly);
                Sessions = new SessionTable(Region, Guards, fixture.RuntimeDirectory);
                Store = new RegionStore(Region);
                Found = Store.Reattach(Guards, 50_000_000);
            }
            catch
            {
                Region.Dispose();
                throw;
            }
        }

        public Region Region { get; }

        public GuardTable Guards { get; }

        public SessionTable Sessions { get; }

        public RegionStore Store { get; }

        public ReattachResult Found { get; }

        /// <summary>Makes a page resident, as an allocation does.</summary>
        public void MakeResident(FrameIndex frame, PageId page, ulong epoch = 1)
        {
            var row = new FrameRow(RowState.Resident, new Epoch(epoch), page, default, RackId.None, default, new RequestId(5), false, false);
            Assert.True(Store.TryChangeRow(frame, Store.ReadRow(frame), row));
            Assert.True(Store.TrySetLocation(page, Location.Resident(frame, row.Epoch)));
        }

        public void Dispose() => Region.Dispose();
    }
}
