using Akka.Configuration;
using Akka.Dispatch;

namespace Rcmp.Cluster.Transport;

/// <summary>Named in HOCON as a dispatcher's executor: all dispatchers of a system that do share one <see cref="ActorLane"/>.</summary>
internal sealed class ActorLaneExecutorConfigurator(Config config, IDispatcherPrerequisites prerequisites) : ExecutorServiceConfigurator(config, prerequisites)
{
    public override ExecutorService Produce(string id) => new ActorLaneExecutor(id, ActorLane.Of(Prerequisites.Settings.System));

    private sealed class ActorLaneExecutor(string id, ActorLane lane) : ExecutorService(id)
    {
        public override void Execute(IRunnable run) => lane.Execute(run);

        /// <summary>The other dispatchers go on.</summary>
        public override void Shutdown()
        {
        }
    }
}
