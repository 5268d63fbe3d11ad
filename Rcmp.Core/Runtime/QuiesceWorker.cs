using System.Diagnostics;
using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.Runtime;

/// <summary>Waits until pages are quiet. The first look is the caller's, since most pages are quiet at once; what is not is looked at
/// again by one thread, all of them in turn, so that a page held by a stopped client does not hold up the others.</summary>
internal sealed class QuiesceWorker : IDisposable
{
    private const int BusyRounds = 200;

    private readonly GuardTable _guards;
    private readonly Action<IRackEvent> _post;
    private readonly List<Job> _jobs = [];
    private readonly Lock _lock = new();
    private readonly AutoResetEvent _wake = new(false);
    private readonly Thread _thread;
    private volatile bool _stop;

    public QuiesceWorker(GuardTable guards, Action<IRackEvent> post)
    {
        _guards = guards;
        _post = post;
        _thread = new Thread(Run) { IsBackground = true, Name = "rcmp-quiesce" };
        _thread.Start();
    }

    /// <summary>Looks once, behind the barrier. The answer, or null if it will be posted later.</summary>
    public QuiesceEnded? Begin(ulong ticket, PageId page, LinkRecord? link, long budgetNs, bool remoteOnly)
    {
        var job = new Job(ticket, page, link, remoteOnly, Stopwatch.GetTimestamp(), TimeSpan.FromTicks(budgetNs / TimeSpan.NanosecondsPerTick));
        if (Look(job) is { } ended) return ended;
        lock (_lock) _jobs.Add(job);
        _wake.Set();
        return null;
    }

    public void Dispose()
    {
        _stop = true;
        _wake.Set();
        _thread.Join();
        _wake.Dispose();
    }

    private void Run()
    {
        var pending = new List<Job>();
        var rounds = 0;
        while (!_stop)
        {
            lock (_lock)
            {
                if (_jobs.Count > 0) rounds = 0;
                pending.AddRange(_jobs);
                _jobs.Clear();
            }

            if (pending.Count == 0)
            {
                _wake.WaitOne();
                continue;
            }

            pending.RemoveAll(job =>
            {
                if (Look(job) is not { } ended) return false;
                _post(ended);
                return true;
            });

            // Guards are held for nanoseconds, remote operations for microseconds: poll first, then give the core away.
            if (++rounds < BusyRounds) Thread.Yield();
            else _wake.WaitOne(1);
        }
    }

    private QuiesceEnded? Look(Job job)
    {
        var result = job.Link is null ? _guards.WaitQuiet(job.Page, 0, job.RemoteOnly) : _guards.WaitLinkQuiet(job.Link, 0);
        var done = result.Quiet && result.Connections.Count == 0;
        if (!done && Stopwatch.GetElapsedTime(job.Start) < job.Budget) return null;
        return new QuiesceEnded(job.Ticket, result.Quiet, result.Connections, result.HeldUpBy);
    }

    private readonly record struct Job(ulong Ticket, PageId Page, LinkRecord? Link, bool RemoteOnly, long Start, TimeSpan Budget);
}
