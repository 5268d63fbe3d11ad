using Akka.Dispatch;
using Rcmp.Cluster.Transport;

namespace Rcmp.Tests.Transport;

public sealed class ActorLaneTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public void RunsOfManyThreadsNeverOverlapAndNoneIsLost()
    {
        const int Threads = 4, Runs = 20_000;
        var lane = new ActorLane();
        var (inside, overlaps, done) = (0, 0, 0);
        using var all = new CountdownEvent(Threads * Runs);
        var run = new Work(() =>
        {
            if (Interlocked.Increment(ref inside) != 1) Interlocked.Increment(ref overlaps);
            // Not atomic: two at a time would lose counts.
            done++;
            Interlocked.Decrement(ref inside);
            all.Signal();
        });
        var threads = Enumerable.Range(0, Threads).Select(i => new Thread(() =>
        {
            for (var j = 0; j < Runs; j++)
            {
                // Half of them lend themselves, as the transport does.
                var isLent = i % 2 == 0 && lane.TryLend();
                lane.Execute(run);
                if (isLent) lane.Return(ActorLane.CallerRunsMax);
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.True(all.Wait(Patience), $"{all.CurrentCount} runs are missing");
        Assert.Equal((0, Threads * Runs), (overlaps, done));
    }

    [Fact]
    public void AThreadThatLendsItselfRunsWhatItHasQueuedAndWhatComesOfIt()
    {
        var lane = new ActorLane();
        var ranOn = new List<int>();
        Assert.True(lane.TryLend());
        Assert.False(lane.TryLend());
        lane.Execute(new Work(() =>
        {
            ranOn.Add(Environment.CurrentManagedThreadId);
            lane.Execute(new Work(() => ranOn.Add(Environment.CurrentManagedThreadId)));
        }));
        Assert.Empty(ranOn);
        lane.Return(ActorLane.CallerRunsMax);
        Assert.Equal([Environment.CurrentManagedThreadId, Environment.CurrentManagedThreadId], ranOn);
    }

    [Fact]
    public void WorkThatDoesNotEndIsLeftToTheLanesOwnThread()
    {
        var lane = new ActorLane();
        using var elsewhere = new ManualResetEventSlim();
        var me = Environment.CurrentManagedThreadId;
        var runs = 0;
        void Again()
        {
            if (Environment.CurrentManagedThreadId != me)
            {
                elsewhere.Set();
                return;
            }

            runs++;
            lane.Execute(new Work(Again));
        }

        Assert.True(lane.TryLend());
        lane.Execute(new Work(Again));
        lane.Return(ActorLane.CallerRunsMax);
        Assert.True(elsewhere.Wait(Patience));
        Assert.Equal(ActorLane.CallerRunsMax, runs);
    }

    private sealed class Work(Action action) : IRunnable
    {
        public void Run() => action();

        public void Execute() => action();
    }
}
