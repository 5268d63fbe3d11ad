using System.Collections.Concurrent;
using System.Diagnostics;
using Akka.Actor;
using Akka.Configuration;
using Akka.Event;
using Rcmp.Cluster.Transport;

namespace Rcmp.Tests.Transport;

public sealed class DueTimeSchedulerTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly DueTimeScheduler _scheduler = new(Config.Empty, NoLogger.Instance);
    private readonly BlockingCollection<string> _heard = [];

    private IActionScheduler Scheduler => ((IScheduler)_scheduler).Advanced;

    public void Dispose()
    {
        _scheduler.Dispose();
        _heard.Dispose();
    }

    [Fact]
    public void WhatIsDueFirstComesFirst()
    {
        Scheduler.ScheduleOnce(TimeSpan.FromMilliseconds(200), () => _heard.Add("late"));
        Scheduler.ScheduleOnce(TimeSpan.FromMilliseconds(20), () => _heard.Add("soon"));
        Scheduler.ScheduleOnce(TimeSpan.Zero, () => _heard.Add("now"));
        Assert.Equal(["now", "soon", "late"], Hear(3));
    }

    [Fact]
    public void WhatIsRepeatedComesUntilItIsCancelledAndAFailureStopsNothing()
    {
        var cancel = new Cancelable(Scheduler);
        Scheduler.ScheduleRepeatedly(TimeSpan.Zero, TimeSpan.FromMilliseconds(5), () =>
        {
            _heard.Add("again");
            throw new InvalidOperationException("a bad callback");
        }, cancel);
        Hear(5);
        cancel.Cancel();
        // Whatever was under way when it was cancelled is over once this has come twice.
        Scheduler.ScheduleOnce(TimeSpan.FromMilliseconds(50), () => _heard.Add("end"));
        while (Hear(1)[0] != "end")
        {
        }

        Scheduler.ScheduleOnce(TimeSpan.FromMilliseconds(50), () => _heard.Add("end"));
        Assert.Equal(["end"], Hear(1));
    }

    [Fact]
    public void WhatIsRepeatedSeldomComesTogether()
    {
        var cancel = new Cancelable(Scheduler);
        var interval = TimeSpan.FromMilliseconds(500);
        var times = new BlockingCollection<TimeSpan>();
        Scheduler.ScheduleRepeatedly(TimeSpan.Zero, interval, () => times.Add(Stopwatch.GetElapsedTime(0)), cancel);
        Scheduler.ScheduleRepeatedly(TimeSpan.FromMilliseconds(30), interval, () => times.Add(Stopwatch.GetElapsedTime(0)), cancel);
        var heard = new List<TimeSpan>();
        while (heard.Count < 8)
        {
            Assert.True(times.TryTake(out var next, Patience));
            heard.Add(next);
        }

        cancel.Cancel();
        // The first two came when they were asked for. Later ones are at multiples of a tenth of a second: at the same one, or at neighbours. The best of three: the machine may be busy.
        var off = Enumerable.Range(1, 3).Select(i => (heard[2 * i + 1] - heard[2 * i]).TotalMilliseconds % 100).Min(apart => Math.Min(apart, 100 - apart));
        Assert.True(off < 8, $"{off} ms beside a multiple");
    }

    [Fact]
    public void AfterItsEndNothingIsTakenOrDone()
    {
        Scheduler.ScheduleOnce(TimeSpan.FromMilliseconds(30), () => _heard.Add("never"));
        _scheduler.Dispose();
        Assert.Throws<SchedulerException>(() => Scheduler.ScheduleOnce(TimeSpan.Zero, () => { }));
        Assert.False(_heard.TryTake(out _, TimeSpan.FromMilliseconds(100)));
    }

    private List<string> Hear(int count)
    {
        var heard = new List<string>();
        while (heard.Count < count)
        {
            Assert.True(_heard.TryTake(out var next, Patience), $"heard only {string.Join(", ", heard)}");
            heard.Add(next);
        }

        return heard;
    }
}
