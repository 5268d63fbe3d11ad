namespace Rcmp.Cluster.Client;

/// <summary>Carries out a client's rare events in their order, on a thread that is there for them alone and ends after the last one: a handler is a user's, and may block.</summary>
internal sealed class EventThread
{
    private readonly Queue<Action> _events = [];
    private bool _runs;

    public void Run(Action handler)
    {
        lock (_events)
        {
            _events.Enqueue(handler);
            if (_runs) return;
            _runs = true;
        }

        new Thread(Work) { IsBackground = true, Name = "rcmp-events" }.Start();
    }

    private void Work()
    {
        while (true)
        {
            Action? handler;
            lock (_events)
            {
                _runs = _events.TryDequeue(out handler);
                if (!_runs) return;
            }

            handler!();
        }
    }
}
