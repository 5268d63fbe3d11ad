using System.Collections.Concurrent;
using System.Diagnostics;
using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.Runtime;

/// <summary>Copies pages from other racks into frames here: one thread with a connection to each rack. The frame it writes is of an incoming
/// row, which nobody else touches.</summary>
internal sealed class PullWorker : IDisposable
{
    private readonly Region _region;
    private readonly IFabric _fabric;
    private readonly TimeSpan _connectTimeout;
    private readonly TimeSpan _timeout;
    private readonly Action<IRackEvent> _post;
    private readonly BlockingCollection<Job> _jobs = [];

    /// <summary>One to each rack, over its link of the time: a rack that has been started again has another link, and what led to its last start leads nowhere any more.</summary>
    private readonly Dictionary<RackId, (ulong Link, IFabricConnection Connection)> _connections = [];

    /// <summary>After an attempt that led nowhere the thread is the other racks' for as long as that took, but for so long at most: a rack that was away for a moment is not kept away for long.</summary>
    private static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(1);

    /// <summary>Links that led nowhere, and until when none is opened over them: the pages of the other racks wait behind each attempt.</summary>
    private readonly Dictionary<ulong, (long UntilTimestamp, string Why)> _silent = [];
    private readonly Thread _thread;

    public PullWorker(Region region, IFabric fabric, TimeSpan connectTimeout, TimeSpan timeout, Action<IRackEvent> post)
    {
        _region = region;
        _fabric = fabric;
        _connectTimeout = connectTimeout;
        _timeout = timeout;
        _post = post;
        _thread = new Thread(Run) { IsBackground = true, Name = "rcmp-pull" };
        _thread.Start();
    }

    public void Enqueue(ulong ticket, PageId page, LinkRecord from, FrameIndex source, FrameIndex target) =>
        _jobs.Add(new Job(ticket, page, from, source, target));

    public void Dispose()
    {
        _jobs.CompleteAdding();
        _thread.Join();
        foreach (var (_, connection) in _connections.Values) connection.Dispose();
        _jobs.Dispose();
    }

    private void Run()
    {
        foreach (var job in _jobs.GetConsumingEnumerable())
        {
            var start = Stopwatch.GetTimestamp();
            var row = default(FrameRow);
            var error = TryPull(job, ref row);
            var elapsed = (long)Stopwatch.GetElapsedTime(start).TotalNanoseconds;
            _post(new PullEnded(job.Ticket, error is null, row, elapsed, error));
        }
    }

    private string? TryPull(Job job, ref FrameRow row)
    {
        // An idle connection may have been lost long ago; only a fresh one says that the owner is out of reach.
        var error = TryPullOnce(job, ref row, out var usedOld);
        return error is not null && usedOld ? TryPullOnce(job, ref row, out _) : error;
    }

    private unsafe string? TryPullOnce(Job job, ref FrameRow row, out bool usedOld)
    {
        var rack = job.From.Id.Owner.Rack;
        IFabricConnection? connection = null;
        usedOld = false;
        if (_connections.TryGetValue(rack, out var old))
        {
            usedOld = old.Link == job.From.Number && old.Connection.IsUsable;
            if (usedOld) connection = old.Connection;
            else Forget(rack, old.Connection);
        }

        if (connection is null)
        {
            ForgetBroken();
            var began = Stopwatch.GetTimestamp();
            foreach (var (link, _) in _silent.Where(pair => pair.Value.UntilTimestamp <= began).ToList()) _silent.Remove(link);
            if (_silent.TryGetValue(job.From.Number, out var silent)) return silent.Why;
            var name = ConnectionName.Make(job.From.Number);
            var status = _fabric.TryConnect(job.From, name, ConnectionRole.Daemon, _connectTimeout, out connection, out var why);
            if (status != FabricConnectStatus.Ok || connection is null)
            {
                // One refused at once is tried again at once.
                var now = Stopwatch.GetTimestamp();
                why = $"{job.From.Address}: {why ?? status.ToString()}";
                _silent[job.From.Number] = (now + Math.Min(now - began, (long)(SilenceMax.TotalSeconds * Stopwatch.Frequency)), why);
                return why;
            }

            _connections[rack] = (job.From.Number, connection);
        }

        // The row is read only when the whole copy is here: a row that is still leaving then proves that the bytes could not change.
        var target = _region.FrameAt(job.Target);
        var copied = Execute(connection, new FabricRequest
        {
            Op = FabricOp.PullFrame, Page = job.Page, Frame = job.Source, Length = (uint)_region.Layout.PageSize, Buffer = target, Token = 1,
        });
        if (copied != FabricStatus.Ok) return Failed(job, connection, "copying the page", copied);

        var words = stackalloc ulong[FrameRow.SizeBytes / sizeof(ulong)];
        var read = Execute(connection, new FabricRequest
        {
            Op = FabricOp.ReadRow, Page = job.Page, Frame = job.Source, Length = FrameRow.SizeBytes, Buffer = (byte*)words, Token = 2,
        });
        if (read != FabricStatus.Ok) return Failed(job, connection, "reading its row", read);
        row = FrameRow.FromWords(new ReadOnlySpan<ulong>(words, FrameRow.SizeBytes / sizeof(ulong)));
        return null;
    }

    private FabricStatus Execute(IFabricConnection connection, in FabricRequest request)
    {
        if (!connection.TryPost(request)) return FabricStatus.NotSent;
        Span<FabricCompletion> completions = stackalloc FabricCompletion[1];
        var timeoutNs = (long)_timeout.TotalNanoseconds;
        return connection.Wait(completions, 20_000, timeoutNs) == 1 ? completions[0].Status : FabricStatus.ConnectionLost;
    }

    private string Failed(Job job, IFabricConnection connection, string doing, FabricStatus status)
    {
        if (!connection.IsUsable) Forget(job.From.Id.Owner.Rack, connection);
        return $"{job.From.Address}: {doing}: {status}";
    }

    private void ForgetBroken()
    {
        foreach (var (rack, (_, connection)) in _connections.Where(pair => !pair.Value.Connection.IsUsable).ToList()) Forget(rack, connection);
    }

    private void Forget(RackId rack, IFabricConnection connection)
    {
        _connections.Remove(rack);
        connection.Dispose();
    }

    private readonly record struct Job(ulong Ticket, PageId Page, LinkRecord From, FrameIndex Source, FrameIndex Target);
}
