using System.Collections.Concurrent;
using System.Diagnostics;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
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
        var (tenth, half) = (Stopwatch.Frequency / 10, Stopwatch.Frequency / 2);
        var random = new Random(20261129);
        for (var i = 0; i < 1000; i++)
        {
            var (from, interval) = (random.NextInt64(1L << 40), random.NextInt64(Stopwatch.Frequency / 4, 20 * Stopwatch.Frequency));
            if (interval % half == 0) interval++;
            var comes = DueTimeScheduler.Together(from, interval);
            Assert.Equal(0, comes % tenth);
            Assert.InRange(comes, from - tenth / 2, from + tenth / 2);
        }

        Assert.Equal(11 * tenth, DueTimeScheduler.Together(11 * tenth, 4 * tenth));
        Assert.Equal(7 + tenth, DueTimeScheduler.Together(7 + tenth, tenth));

        // What has an interval of whole or half seconds meets at the half second.
        Assert.Equal(2 * half, DueTimeScheduler.Together(12 * tenth, half));
        Assert.Equal(3 * half, DueTimeScheduler.Together(17 * tenth, 2 * half));
        Assert.Equal(7 * half, DueTimeScheduler.Together(7 * half, 4 * half));
    }

    [Fact]
    public void AnIntervalThatIsRoundedIsRightOnAverageAndWhatWasMissedIsNotMadeUpFor()
    {
        var (second, interval) = (Stopwatch.Frequency, Stopwatch.Frequency * 35 / 100);
        long due = 7 * second, comes = due;
        for (var i = 0; i < 20; i++)
        {
            due = DueTimeScheduler.Again(due, interval, comes);
            comes = DueTimeScheduler.Together(due, interval);
        }

        // Each rounded by itself it would be 0.4 s, and 15 s here.
        Assert.Equal(14 * second, comes);
        Assert.Equal(20 * second + interval, DueTimeScheduler.Again(due, interval, 20 * second));
    }

    [Fact]
    public void TheSchedulersThreadRunsTheActorsThatItTells()
    {
        var lane = new ActorLane();
        _scheduler.LendTo(lane);
        Scheduler.ScheduleOnce(TimeSpan.Zero, () => lane.Execute(new Says(_heard)));
        Assert.Equal(["rcmp-scheduler"], Hear(1));
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

    private sealed class Says(BlockingCollection<string> heard) : IRunnable
    {
        public void Run() => heard.Add(Thread.CurrentThread.Name!);

        public void Execute() => Run();
    }
}
